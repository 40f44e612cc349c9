"""How many pixels of a grid one pixel of the source makes: one number per axis of the source for the whole grid.

GDAL widens its kernels by this number. By itself it takes it anew for each window, from the window's outline, so that
windows would differ from the whole. Here it is what GDAL takes where it warps the whole in one piece, as `gdalwarp`
does with a raster that fits its memory: the size of what the source covers of the grid, over the size of it in the
source::

    +--------------+   grid: 789 px wide
    |   ___---/    |
    |  /     /     |   source: 900 px wide, 789 / 900 = 0.877
    | /___---      |
    +--------------+
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.geometry.crs import turn_of
from pipeline.geometry.grid import Grid
from pipeline.interfaces import Source
from pipeline.sources.regrid.placement import FloatArray, Placement, inverse, reproject

OVERLAP_LATTICE = 65
"""Places along each axis of grid and source by which their overlap is measured."""
RECIPROCAL_TOLERANCE = 0.05
"""How far the reciprocal of a scale below 1 may be off a whole number and count as that, as it does for GDAL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Places in a grid and in its source at once, px from the corner of each."""

    rows: FloatArray
    cols: FloatArray
    source_rows: FloatArray
    source_cols: FloatArray

    def clip(self, grid: Grid, size: tuple[int, int]) -> Places:
        """Those that lie in the grid and in the source of a size."""
        inside = _within(self.rows, grid.height) & _within(self.cols, grid.width)
        inside &= _within(self.source_rows, size[0]) & _within(self.source_cols, size[1])
        return Places(
            rows=self.rows[inside],
            cols=self.cols[inside],
            source_rows=self.source_rows[inside],
            source_cols=self.source_cols[inside],
        )


def kernel_scale(grid: Grid, source: Source, placement: Placement) -> tuple[float, float]:
    """(x, y): pixels of the grid per pixel of the source, along the source's columns and rows.

    Where the source lies on its side, its columns run along the grid's rows, and are counted by these.
    """
    size = source.grid.height, source.grid.width
    shared = common_places(grid, size, placement)
    down, across = (
        _extent(values, length) for values, length in ((shared.rows, grid.height), (shared.cols, grid.width))
    )
    rows, cols = (
        _extent(values, length) for values, length in zip((shared.source_rows, shared.source_cols), size, strict=True)
    )
    if _on_its_side(grid, size, placement):
        down, across = across, down
    return _as_gdal(across / cols), _as_gdal(down / rows)


def common_places(grid: Grid, size: tuple[int, int], placement: Placement) -> Places:
    """Places that lie in a grid and in its source, from a lattice over each; none where they are apart."""
    parts = [*_of_grid(grid, placement), *_of_source(grid, size, placement)]
    parts = [part.clip(grid, size) for part in parts]
    names = ("rows", "cols", "source_rows", "source_cols")
    return Places(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _of_grid(grid: Grid, placement: Placement) -> list[Places]:
    """A lattice over the grid, in the source and in the source moved around the earth."""
    rows, cols = _lattice(grid.height, grid.width)
    a, b, c, d, e, f = grid.transform
    assert grid.wkt is not None
    source_rows, source_cols = placement.pixels_at(a * cols + b * rows + c, d * cols + e * rows + f, grid.wkt)
    parts = []
    for turns in (0, 1, -1) if placement.turn else (0,):
        down, across = placement.pixels_per_turn if turns else (0.0, 0.0)
        parts.append(
            Places(
                rows=rows, cols=cols, source_rows=source_rows - turns * down, source_cols=source_cols - turns * across
            )
        )
    return parts


def _of_source(grid: Grid, size: tuple[int, int], placement: Placement) -> list[Places]:
    """A lattice over the source, in the grid and in the grid moved around the earth."""
    source_rows, source_cols = _lattice(*size)
    assert grid.wkt is not None
    xs, ys = reproject(*placement.coordinates_of(source_rows, source_cols), placement.wkt, grid.wkt)
    parts = []
    for east in dict.fromkeys((0.0, turn_of(grid.wkt), -turn_of(grid.wkt))):
        rows, cols = inverse(grid.transform, xs + east, ys)
        parts.append(Places(rows=rows, cols=cols, source_rows=source_rows, source_cols=source_cols))
    return parts


def _on_its_side(grid: Grid, size: tuple[int, int], placement: Placement) -> bool:
    """Whether the source's columns run along the grid's rows rather than its columns."""
    rows, cols = _lattice(*size)
    assert grid.wkt is not None
    xs, ys = reproject(*placement.coordinates_of(rows, cols), placement.wkt, grid.wkt)
    steps = [np.abs(np.diff(values, axis=1)) for values in inverse(grid.transform, xs, ys)]
    down, across = (float(np.median(step[np.isfinite(step)])) if np.isfinite(step).any() else 0.0 for step in steps)
    return down > across


def _lattice(height: int, width: int) -> tuple[FloatArray, FloatArray]:
    rows, cols = np.meshgrid(*(np.linspace(0, length, OVERLAP_LATTICE) for length in (height, width)), indexing="ij")
    return rows, cols


def _within(values: FloatArray, length: int) -> npt.NDArray[np.bool_]:
    return np.asarray((values >= 0) & (values <= length))


def _extent(values: FloatArray, length: int) -> int:
    """Whole pixels between the first and the last of some places."""
    return max(min(math.ceil(float(values.max())), length) - max(math.floor(float(values.min())), 0), 1)


def _as_gdal(value: float) -> float:
    if value < 1 and abs(1 / value - round(1 / value)) < RECIPROCAL_TOLERANCE:
        value = 1 / round(1 / value)
    return value
