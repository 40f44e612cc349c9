"""What a pixel of a grid is on the ground, in words."""

from __future__ import annotations

import math

from pyproj import Geod, Transformer

from pipeline.geometry.crs import crs_of, name_of
from pipeline.geometry.grid import Grid
from pipeline.sources.regrid.placement import Placement

SIZE_DIGITS = 3
"""Digits of a size."""


def ground_note(source: Grid, placement: Placement, target: Grid, resampling: str) -> str:
    """How a source is brought to its grid, as `plan` says it."""
    assert target.wkt is not None
    origin = (
        f"from pixels of {_size(source)}" if placement.transform is not None else f"placed by {placement.description}"
    )
    return f"it is warped to {name_of(target.wkt)} by {resampling}: a pixel is {_size(target)} on the ground, {origin}"


def _size(grid: Grid) -> str:
    """Width × height of the pixel in the middle, in metres where the CRS has an ellipsoid."""
    sizes = _metres(grid)
    if sizes is None:
        height, width = grid.pixel_size
        return f"{width:.{SIZE_DIGITS}g} × {height:.{SIZE_DIGITS}g} units"
    return f"{_number(sizes[0])} × {_number(sizes[1])} m"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.{SIZE_DIGITS}g}"


def _metres(grid: Grid) -> tuple[float, float] | None:
    """(width, height) of the pixel in the middle of a grid along the ellipsoid, m."""
    assert grid.wkt is not None
    crs = crs_of(grid.wkt)
    geodetic = crs.geodetic_crs
    if geodetic is None or geodetic.ellipsoid is None:
        return None
    a, b, c, d, e, f = grid.transform
    row, col = grid.height / 2, grid.width / 2
    places = [(a * x + b * y + c, d * x + e * y + f) for x, y in ((col, row), (col + 1, row), (col, row + 1))]
    change = Transformer.from_crs(crs, geodetic, always_xy=True)
    (lon, lat), right, below = (change.transform(*place) for place in places)
    geod = Geod(
        a=geodetic.ellipsoid.semi_major_metre,
        b=geodetic.ellipsoid.semi_minor_metre or geodetic.ellipsoid.semi_major_metre,
    )
    sizes = [geod.inv(lon, lat, *end)[2] for end in (right, below)]
    return (sizes[0], sizes[1]) if all(map(math.isfinite, sizes)) else None
