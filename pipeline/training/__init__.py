"""Training: windows of rasters and labels, one loop, and what it is worth."""
