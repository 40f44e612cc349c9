"""What is measured of a network: its stride, radius, memory and sizes, and what they mean for tiles of a raster."""
