"""How long a scale bar is, and what it says."""

from __future__ import annotations

import math

from pyproj import CRS
from pyproj.exceptions import CRSError

from pipeline.geometry.grid import Grid


def scale_bar(grid: Grid, width: float) -> tuple[float, str]:
    """A bar of about a quarter of a picture: its length in px of the raster, and its text.

    Parameters
    ----------
    grid
        Of the raster.
    width
        Of the picture, px of the raster.
    """
    size, unit = _ground(grid)
    length = _round(size * width / 4)
    large = {"m": "km", "µm": "mm"}.get(unit)
    text = f"{length / 1000:g} {large}" if large and length >= 1000 else f"{length:g} {unit}"
    return length / size, text


def _round(length: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten below a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length)


def _ground(grid: Grid) -> tuple[float, str]:
    """Width of a pixel and its unit; degrees as metres at the raster's middle."""
    width = grid.pixel_size[1]
    if grid.unit == "um":
        return width, "µm"
    if grid.wkt is None:
        return 1.0, "px"
    try:
        crs = CRS.from_wkt(grid.wkt)
    except CRSError:  # GDAL reads dialects that PROJ does not
        return 1.0, "px"
    axis = crs.axis_info[0] if crs.axis_info else None
    if crs.is_geographic:
        _, south, _, north = grid.bounds
        return width * 111_320 * max(math.cos(math.radians((south + north) / 2)), 1e-6), "m"
    return width * (axis.unit_conversion_factor if axis and axis.unit_conversion_factor else 1.0), "m"
