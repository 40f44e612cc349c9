"""What GDAL tells of a raster's file, and how GDAL is set for each kind of storage."""
