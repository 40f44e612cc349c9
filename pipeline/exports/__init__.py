"""Files that other programs open: sidecars for GDAL and QGIS, and a picture of the mask."""
