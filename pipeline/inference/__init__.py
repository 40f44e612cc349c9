"""A block on its way: read, normalise, infer, blend, decode, write."""
