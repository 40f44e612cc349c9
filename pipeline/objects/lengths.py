"""Lengths of boundaries, from the pixel edges that they follow."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from pyproj import Geod

from pipeline.geometry.ellipsoid import ellipsoid_of, parsed, unit_size
from pipeline.geometry.grid import Grid
from pipeline.objects.rings import Int32s

LengthUnit = Literal["m", "um", "px"]


def length_unit(grid: Grid) -> LengthUnit:
    """What lengths are counted in."""
    return "m" if grid.wkt else "um" if grid.unit == "um" else "px"


def edge_lengths(
    grid: Grid, rows: Int32s, cols: Int32s, next_rows: Int32s, next_cols: Int32s
) -> npt.NDArray[np.float64]:
    """Lengths of straight edges between lattice points, in `length_unit`.

    In degrees they are geodesics on the ellipsoid; elsewhere they are measured in the plane of the map.

    Parameters
    ----------
    grid
        Of the mask.
    rows, cols, next_rows, next_cols
        (n,) the points at both ends of each edge, of which one coordinate is the same.
    """
    a, b, c, d, e, f = grid.transform
    if grid.wkt is None or not parsed(grid.wkt).is_geographic:
        scale = unit_size(grid.wkt) if grid.wkt else 1.0
        along_row, along_col = (1.0, 1.0) if length_unit(grid) == "px" else (math.hypot(a, d), math.hypot(b, e))
        return np.asarray(scale * (np.abs(next_cols - cols) * along_row + np.abs(next_rows - rows) * along_col))
    ellipsoid, degrees = ellipsoid_of(grid.wkt), math.degrees(unit_size(grid.wkt))
    x, next_x = (degrees * (a * col + b * row + c) for row, col in ((rows, cols), (next_rows, next_cols)))
    y, next_y = (degrees * (d * col + e * row + f) for row, col in ((rows, cols), (next_rows, next_cols)))
    return np.asarray(Geod(a=ellipsoid.axis, es=ellipsoid.e2).inv(x, y, next_x, next_y)[2])
