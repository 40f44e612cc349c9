"""The line: read, normalise, infer, blend, decode, write, pyramid, quicklook."""
