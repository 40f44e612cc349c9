"""Paths as people write them: plain ones, and the names by which GDAL reaches into a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

PREFIXES = (
    "BAG",
    "DERIVED_SUBDATASET",
    "ECRG_TOC_ENTRY",
    "ENVISAT",
    "GPKG",
    "GRIB",
    "GTIFF_DIR",
    "GTIFF_RAW",
    "HDF4_EOS",
    "HDF4_GR",
    "HDF4_SDS",
    "HDF5",
    "HDF5IMAGE",
    "MBTILES",
    "NETCDF",
    "NITF_IM",
    "NITF_TOC_ENTRY",
    "PDF",
    "PDF_IMAGE",
    "RADARSAT_2_CALIB",
    "RASTERLITE",
    "RASTERLITE2",
    "S102",
    "S104",
    "S111",
    "STACIT",
    "STACTA",
    "TILEDB",
    "ZARR",
)
"""Words before a colon that GDAL's drivers know (https://gdal.org/drivers/raster); those of Sentinel-2 are a family of
their own."""
_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9_]+):(?!//)")
_ARCHIVE = re.compile(r"/vsi(?:zip|tar|gzip|7z|rar)/(?=[^/{])")
"""GDAL's names of archives, where a path that is relative follows."""


def is_gdal_name(value: str) -> bool:
    """Whether a string begins with a prefix of GDAL's, such as ``NETCDF:"cube.nc":B04``.

    Then it is no path as a whole.
    """
    match = _PREFIX.match(value)
    return match is not None and (match[1].upper() in PREFIXES or match[1].upper().startswith("SENTINEL2_"))


def anchored_path(value: str, folder: Path) -> str:
    """A path that holds wherever it is used; URLs stay as they are.

    Parameters
    ----------
    value
        A path, a URL, or a name of GDAL's: the file in it is anchored as other paths are, and the rest is kept.
    folder
        What relative paths are relative to.
    """
    if value.startswith("vrt://"):
        inner, mark, options = value.removeprefix("vrt://").partition("?")
        return f"vrt://{anchored_path(inner, folder)}{mark}{options}"
    if value.startswith("/vsi"):
        return _in_archive(value, folder)
    if is_gdal_name(value) and not os.path.lexists(folder / value):
        return _anchored_gdal_name(value, folder)
    return value if "://" in value else _absolute(value, folder)


def is_there(value: str, folder: Path) -> bool:
    """Whether a string, as it is written, names a file."""
    if os.path.lexists(_absolute(value, folder)):
        return True
    if value.startswith("/vsi"):
        return _in_archive(value, folder) != value
    return is_gdal_name(value) and any(os.path.lexists(_absolute(part, folder)) for part in _parts(value))


def _absolute(value: str, folder: Path) -> str:
    return os.path.normpath(folder / Path(value).expanduser())


def _anchored_gdal_name(value: str, folder: Path) -> str:
    """The file in a name of GDAL's made absolute: what stands in quotes, else the first of its parts that is there."""
    for part in _parts(value):
        if part.startswith("/vsi"):
            return value.replace(part, _in_archive(part, folder), 1)
        if "://" not in part and (f'"{part}"' in value or os.path.lexists(_absolute(part, folder))):
            return value.replace(part, _absolute(part, folder), 1)
    return value


def _parts(value: str) -> list[str]:
    """What may be the file in a name of GDAL's, the likeliest first."""
    rest = value.partition(":")[2]
    quoted = re.search(r'"([^"]+)"', rest)
    if quoted:
        return [quoted[1]]
    parts = rest.split(":")
    return [
        ":".join(parts[first:last])
        for first in range(len(parts))
        if parts[first] and not parts[first].isdigit()
        for last in range(len(parts), first, -1)
    ]


def _in_archive(value: str, folder: Path) -> str:
    """A relative archive made absolute, where it is there.

    GDAL takes what is left relative to the working directory.
    """
    match = _ARCHIVE.match(value)
    if match is None:
        return value
    inside = Path(value[match.end() :])
    near = any((folder / part).is_file() for part in (inside, *inside.parents))
    return match[0] + os.path.normpath(folder / inside) if near else value
