"""Which pixels of a raster are valid: nodata, masks, alpha, and blocks that were never written."""
