"""A network explained: what it costs, how far it looks, and what that means for tiles of the user's raster."""
