"""Numbers of a whole raster: percentiles, extremes, mean and deviation, counted cell by cell in passes over it."""
