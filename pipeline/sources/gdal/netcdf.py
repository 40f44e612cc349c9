"""Where a variable of a NetCDF file lies, where its coordinates say it without the attributes by which GDAL would know them."""

from __future__ import annotations

import re

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from pipeline.geometry.grid import Transform
from pipeline.sources.gdal.options import Settings

AXIS_NAMES = (("y", "x"), ("Y", "X"), ("lat", "lon"), ("latitude", "longitude"), ("northing", "easting"))
"""Names of coordinates."""
TOP_DOWN: Settings = (("GDAL_NETCDF_BOTTOMUP", "NO"),)
"""GDAL takes a variable of which it knows no coordinates for one whose first row is its lowest."""
EVEN = 1e-3
"""Share of a step by which coordinates may be off an even lattice."""
IDENTITY_TRANSFORM = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def netcdf_transform(dataset: DatasetReader, path: str) -> tuple[Transform, Settings] | None:
    """Transform of a variable by its coordinates, and how GDAL has to be told which row is the first.

    Returns
    -------
    tuple or None
        None where GDAL knows the place, or nothing says it.
    """
    if dataset.driver != "netCDF" or tuple(dataset.transform)[:6] != IDENTITY_TRANSFORM:
        return None
    name = re.sub(r'^netcdf:"?([^"]+?)"?:[^:]+$', r"\1", path, flags=re.I)
    for names in AXIS_NAMES:
        y, x = (_coordinate(name, axis, count) for axis, count in zip(names, dataset.shape, strict=True))
        if y is not None and x is not None:
            (top, down), (left, right) = (y if y[1] < 0 else (y[0] + y[1] * (dataset.height - 1), -y[1])), x
            return (right, 0.0, left - right / 2, 0.0, down, top - down / 2), TOP_DOWN if y[1] < 0 else ()
    return None


def _coordinate(name: str, axis: str, count: int) -> tuple[float, float] | None:
    """First value and step of a coordinate that is even."""
    try:
        with rasterio.open(f'NETCDF:"{name}":{axis}') as variable:
            if variable.width * variable.height != count or count < 2:
                return None
            values = variable.read(1).ravel().astype(np.float64)
    except (RasterioError, OSError):
        return None
    step = (values[-1] - values[0]) / (count - 1)
    even = np.isfinite(values).all() and step != 0 and bool((np.abs(np.diff(values) - step) <= abs(step) * EVEN).all())
    return (float(values[0]), float(step)) if even else None
