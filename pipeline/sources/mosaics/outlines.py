"""What pieces of any CRS cover of one: their outlines, followed into it, thousands at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.geometry.crs import Box, same_crs, transformer, turn_of
from pipeline.geometry.grid import Grid
from pipeline.sources.mosaics.lattice import Windows
from pipeline.sources.regrid.placement import WGS84, FloatArray, inverse

PLACES_PER_EDGE = 17
"""Places along each edge by which an outline is followed, where its edges are curves in the other CRS."""
MARGIN_PX = 2
"""Pixels of the grid around an outline, beside what its edges bend between two places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceOutlines:
    """Of pieces in one CRS."""

    xs: FloatArray
    """(pieces, places), longitudes counted on across the antimeridian."""
    ys: FloatArray
    whole: npt.NDArray[np.bool_]
    """(pieces,) whether an outline does not bound its piece: it holds a pole, or has places that the CRS lacks."""
    turn: float
    """What x grows by once around the earth; 0 where it does not come round."""

    @property
    def box(self) -> Box | None:
        """The rectangle around all pieces whose outlines bound them; None where there is none."""
        xs, ys = self.xs[~self.whole], self.ys[~self.whole]
        if not xs.size:
            return None
        return Box(left=float(xs.min()), bottom=float(ys.min()), right=float(xs.max()), top=float(ys.max()))

    def windows_on(self, grid: Grid) -> tuple[npt.NDArray[np.int64], Windows]:
        """Pieces that may have pixels on a grid, in their order, and the window of each."""
        owners, windows = [], []
        for east in dict.fromkeys((0.0, self.turn, -self.turn)):
            first, last = self._spans_on(grid, east)
            first[self.whole], last[self.whole] = 0, (grid.height, grid.width)
            first, last = np.maximum(first, 0), np.minimum(last, (grid.height, grid.width))
            touching = np.flatnonzero((first < last).all(1) & ~(self.whole & (east != 0)))
            owners.append(touching)
            windows.append(np.hstack([first, last - first])[touching].astype(np.int64))
        order = np.argsort(np.concatenate(owners), kind="stable")
        return np.concatenate(owners)[order], np.concatenate(windows)[order]

    def _spans_on(self, grid: Grid, east: float) -> tuple[FloatArray, FloatArray]:
        """(pieces, 2) first and last row and column that an outline takes up."""
        places = np.stack(inverse(grid.transform, self.xs + east, self.ys), axis=2)
        places[self.whole] = 0.0
        edges = places.reshape(len(places), -1, PLACES_PER_EDGE, 2)
        margin = MARGIN_PX + np.abs(np.diff(edges, 2, axis=2)).max((1, 2))
        return np.floor(places.min(1) - margin), np.ceil(places.max(1) + margin)


def outlines_in(wkt: str, grids: Sequence[Grid]) -> PieceOutlines:
    """The outlines of pieces, each with a CRS, in another CRS."""
    xs, ys = _edges(grids)
    whole = np.zeros(len(grids), bool)
    turn = turn_of(wkt)
    for native in dict.fromkeys(grid.wkt for grid in grids):
        assert native is not None
        rows = np.array([grid.wkt == native for grid in grids])
        if turn:
            whole[rows] = _hold_pole(native, [grid for grid in grids if grid.wkt == native])
        if not same_crs(native, wkt):
            new_xs, new_ys = transformer(native, wkt).transform(xs[rows].ravel(), ys[rows].ravel())
            xs[rows], ys[rows] = (np.reshape(values, xs[rows].shape) for values in (new_xs, new_ys))
    whole |= ~(np.isfinite(xs) & np.isfinite(ys)).all(1)
    if turn:
        xs = _counted_on(xs, turn, whole)
    return PieceOutlines(xs=xs, ys=ys, whole=whole, turn=turn)


def _edges(grids: Sequence[Grid]) -> tuple[FloatArray, FloatArray]:
    """(pieces, places) coordinates along the edges, once around."""
    a, b, c, d, e, f = np.array([grid.transform for grid in grids], np.float64).T[:, :, None]
    heights, widths = np.array([(grid.height, grid.width) for grid in grids], np.float64).T[:, :, None]
    t = np.linspace(0, 1, PLACES_PER_EDGE)
    rows = np.concatenate([np.zeros_like(t), t, np.ones_like(t), t[::-1]]) * heights
    cols = np.concatenate([t, np.ones_like(t), t[::-1], np.zeros_like(t)]) * widths
    return a * cols + b * rows + c, d * cols + e * rows + f


def _counted_on(xs: FloatArray, turn: float, whole: npt.NDArray[np.bool_]) -> FloatArray:
    """Longitudes without jumps: within a piece from its first place, and pieces from the first piece."""
    if whole.all():
        return xs
    xs = xs - turn * np.round((xs - xs[:, :1]) / turn)
    middles = xs.mean(1)
    return np.asarray(xs - turn * np.round((middles - middles[~whole][0]) / turn)[:, None])


def _hold_pole(wkt: str, grids: Sequence[Grid]) -> npt.NDArray[np.bool_]:
    """(pieces,) whether a pole lies in each."""
    if turn_of(wkt):
        return np.zeros(len(grids), bool)
    holds = np.zeros(len(grids), bool)
    xs, ys = transformer(WGS84, wkt).transform(np.zeros(2), np.array([-90.0, 90.0]))
    for x, y in zip(xs, ys, strict=True):
        if np.isfinite(x) and np.isfinite(y):
            for k, grid in enumerate(grids):
                left, bottom, right, top = grid.bounds
                holds[k] |= left <= x <= right and bottom <= y <= top
    return holds
