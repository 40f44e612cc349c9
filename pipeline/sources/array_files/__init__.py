"""Arrays with named dimensions in Zarr, NetCDF, HDF5 and NumPy files: which of them are read, and where they lie."""
