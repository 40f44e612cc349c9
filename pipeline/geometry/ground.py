"""How wide a pixel is on the ground, or on a slide."""

from __future__ import annotations

import math

from pyproj import CRS
from pyproj.exceptions import CRSError

from pipeline.geometry.grid import Grid

DEGREE_M = 111_320
"""Of a degree of longitude at the equator, m."""
ALLOWED_RATIO = 1.25
"""Of the sizes of two pixels that a network takes for alike."""


def size_ratio(size: float, other: float) -> float:
    """How many times the larger of two sizes is the smaller."""
    return max(size / other, other / size)


def pixel_metres(grid: Grid) -> float | None:
    """Width of a pixel, m, at the raster's middle; None where the grid counts in pixels, or PROJ knows no unit.

    Rough where the CRS counts in degrees: to a few parts in a hundred.
    """
    width = grid.pixel_size[1]
    if grid.unit == "um":
        return width / 1e6
    if grid.wkt is None:
        return None
    try:
        crs = CRS.from_wkt(grid.wkt)
    except CRSError:  # GDAL reads dialects that PROJ does not
        return None
    if crs.is_geographic:
        _, south, _, north = grid.bounds
        return width * DEGREE_M * max(math.cos(math.radians((south + north) / 2)), 1e-6)
    factor = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    return width * (factor or 1.0)
