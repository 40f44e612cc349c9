"""Items of a SpatioTemporal Asset Catalog as scenes: their files, what their metadata say, and searches for them."""
