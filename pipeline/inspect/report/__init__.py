"""What `inspect` reports of a network on a raster: costs, halos, text and picture."""
