"""Which form a file of arrays has."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.sources.array_files.array_file import ArrayFile
from pipeline.sources.array_files.flat_files import netcdf3_file, numpy_file
from pipeline.sources.array_files.hdf5_files import Hdf5File
from pipeline.sources.array_files.remote_files import as_source_error, file_size, read_ranges
from pipeline.sources.array_files.zarr_files import ZarrFile, is_hierarchy
from pipeline.sources.gdal.options import is_remote, mask_urls

HDF5, NUMPY, CLASSIC = b"\x89HDF\r\n\x1a\n", b"\x93NUMPY", (b"CDF\x01", b"CDF\x02")
"""First bytes of each form of file."""
FILE_ENDINGS = (".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5", ".hdf", ".npy")
"""Names of single files; a URL that ends otherwise is a hierarchy of Zarr."""
ARRAY_FORMS = "a folder or URL of Zarr, or a file of NetCDF, HDF5 or NumPy (.npy)"


def open_array_file(path: str) -> ArrayFile:
    """Open a file of arrays by its first bytes, or a hierarchy of Zarr.

    Raises
    ------
    SourceError
        There is none, or it has another form.
    ExtraError
        The library that reads it is not installed.
    Unfinished
        The storage is away.
    """
    if is_remote(path):
        if not path.lower().endswith(FILE_ENDINGS):
            with as_source_error(path):
                return ZarrFile(path)
    elif not os.path.exists(path):
        raise SourceError(f"source.path is {mask_urls(path)}, which does not exist. Give {ARRAY_FORMS}.")
    elif Path(path).is_dir():
        return _folder(path)
    return _file(path, _first_bytes(path))


def _folder(path: str) -> ArrayFile:
    if is_hierarchy(path):
        return ZarrFile(path)
    inner = sorted(str(entry) for entry in Path(path).iterdir() if entry.is_dir() and is_hierarchy(str(entry)))
    hint = f"Name one of the hierarchies in it, such as {', '.join(inner[:3])}." if inner else f"Give {ARRAY_FORMS}."
    raise SourceError(
        f"source.path is {path}, a folder without zarr.json or .zgroup, and so no hierarchy of Zarr. {hint}"
    )


def _first_bytes(path: str) -> bytes:
    if is_remote(path):
        return read_ranges(path, [0], [min(8, file_size(path))])[0]
    try:
        with open(path, "rb") as file:
            return file.read(8)
    except OSError as error:
        raise SourceError(f"source.path is {path}, which cannot be read: {error.strerror}.") from error


def _file(path: str, head: bytes) -> ArrayFile:
    if head == HDF5:
        return Hdf5File(path)
    if head.startswith(NUMPY):
        return numpy_file(path)
    if head.startswith(CLASSIC):
        return netcdf3_file(path)
    if head.startswith(b"CDF"):
        raise SourceError(
            f"source.path is {mask_urls(path)}, a NetCDF file of 64-bit data (CDF-5), which is not read here. Write it "
            f"as NetCDF 4 with nccopy -k nc4."
        )
    raise SourceError(
        f"source.path is {mask_urls(path)}, which is no file of arrays. Give {ARRAY_FORMS}. Other files are read by "
        f"kind: raster."
    )
