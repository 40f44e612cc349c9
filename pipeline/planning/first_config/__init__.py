"""A first config for a raster and a model: what each says of itself, and what is tried."""
