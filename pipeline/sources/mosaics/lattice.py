"""The one lattice on which the pixels of all pieces lie, where they do, and where each piece lies on it.

::

    +------+- - +        pixels of both pieces are pixels of the mosaic;
    |  1   |----+----+   a corner that no piece holds is invalid
    +------|    2    |
    |      +---------+
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from rasterio.transform import Affine

from pipeline.geometry.crs import CORNER_TOLERANCE_PX, same_crs
from pipeline.geometry.grid import IDENTITY, Grid

Windows = npt.NDArray[np.int64]
"""(pieces, 4): first row, first column, rows and columns of each, px of the mosaic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A piece that does not lie on the lattice of the first."""

    piece: int
    """Its place among the pieces."""
    reason: str


def mismatch_of(grids: Sequence[Grid]) -> Mismatch | None:
    """The first piece that lies on no lattice with the first of all, and why; None where all do."""
    first, is_same = grids[0], dict[str | None, bool]()
    if len(grids) > 1 and first.transform == IDENTITY and first.unit == "px":
        return Mismatch(piece=0, reason="has no georeference, so that nobody knows where it lies beside the others")
    for k, grid in enumerate(grids):
        if grid.wkt not in is_same:
            is_same[grid.wkt] = same_crs(first.wkt, grid.wkt)
        if not is_same[grid.wkt]:
            names = [other.code or ("another CRS" if other.wkt else "no CRS") for other in (grid, first)]
            return Mismatch(piece=k, reason=f"has {names[0]}, and {{first}} {names[1]}")
    offsets, far = _corners(grids)
    off = np.abs(offsets - np.round(offsets)).max(1) > CORNER_TOLERANCE_PX
    sizes = np.array([(grid.height, grid.width) for grid in grids])
    stretched = np.abs(far - np.round(offsets)[:, None] - _spans(sizes)).max((1, 2)) > CORNER_TOLERANCE_PX
    for k in np.flatnonzero(off | stretched)[:1].tolist():
        return Mismatch(piece=k, reason=_reason(grids[k], first, bool(stretched[k] and not off[k])))
    return None


def lattice_of(grids: Sequence[Grid]) -> tuple[Grid, Windows]:
    """The grid of all pieces of one lattice, and the window of each."""
    corners = np.round(_corners(grids)[0]).astype(np.int64)
    sizes = np.array([(grid.height, grid.width) for grid in grids], np.int64)
    top, left = corners.min(0).tolist()
    height, width = (corners + sizes).max(0) - (top, left)
    grid = replace(grids[0], height=int(height), width=int(width), transform=_moved(grids, corners, top, left))
    return grid, np.hstack([corners - (top, left), sizes])


def _moved(
    grids: Sequence[Grid], corners: npt.NDArray[np.int64], top: int, left: int
) -> tuple[float, float, float, float, float, float]:
    """The transform of a corner: the numbers of the pieces that lie there, where axes are those of the CRS."""
    a, b, c, d, e, f = grids[0].transform
    if grids[0].axis_aligned:
        uppermost, leftmost = (int(k) for k in corners.argmin(0))
        return a, b, grids[leftmost].transform[2], d, e, grids[uppermost].transform[5]
    return a, b, a * left + b * top + c, d, e, d * left + e * top + f


def _corners(grids: Sequence[Grid]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(pieces, 2) rows and columns of the first corners in pixels of the first piece, and (pieces, 3, 2) of others."""
    back = ~Affine(*grids[0].transform)
    a, b, c, d, e, f = np.array([grid.transform for grid in grids]).T[:, :, None]
    sizes = np.array([(grid.height, grid.width) for grid in grids])
    rows, cols = np.moveaxis(np.concatenate([np.zeros((len(grids), 1, 2)), _spans(sizes)], 1), 2, 0)
    xs, ys = a * cols + b * rows + c, d * cols + e * rows + f
    places = np.stack([back.d * xs + back.e * ys + back.f, back.a * xs + back.b * ys + back.c], axis=2)
    return places[:, 0], places[:, 1:]


def _spans(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(pieces, 3, 2) rows and columns from the first corner to the others."""
    return np.asarray(sizes[:, None, :] * np.array([[1, 0], [0, 1], [1, 1]], np.int64))


def _reason(grid: Grid, first: Grid, stretched: bool) -> str:
    if stretched or grid.pixel_size != first.pixel_size:
        sizes = [f"{other.pixel_size[1]:.9g} × {other.pixel_size[0]:.9g}" for other in (grid, first)]
        if sizes[0] != sizes[1]:
            return f"has pixels of {sizes[0]}, and {{first}} of {sizes[1]}"
        return "has pixels that are turned or mirrored against those of {first}"
    return "lies by a part of a pixel off the pixels of {first}"
