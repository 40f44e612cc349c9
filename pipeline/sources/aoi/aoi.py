"""An area of interest on the grid of a raster, by windows and by blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine

from pipeline.errors import SourceError
from pipeline.geometry.blocks import BlockIndex, Layout
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.sources.aoi.block_rows import lines
from pipeline.sources.aoi.pieces import Outlines, load
from pipeline.sources.polygons import Layer

LATTICE = 4
"""Pixels per axis at which a block is looked at before all of it is."""
TOGETHER = 512
"""Blocks that are looked at together; the first few are not, since some who ask want no more."""
DRAWS = 64
"""Points that are drawn in the box around a piece; that none lies in it is rare."""
HELD = 16
"""Areas that a process keeps in memory."""


@dataclass(frozen=True, kw_only=True)
class Area:
    """Pixels whose centre lies in one of the polygons of a file. Pickles as this spec; each process reads the file once, on first use."""

    layer: Layer
    grid: Grid
    """Of the raster."""
    digest: str
    """Of the polygons: another file with the same polygons is the same area."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("layer", "grid", "digest")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def read(self, window: Window) -> npt.NDArray[np.bool_]:
        """(rows, cols) whether a pixel's centre lies in the area; False beyond the raster.

        Raises
        ------
        SourceError
            The file cannot be read any more, or holds other polygons than it did.
        """
        inside, shape = window.clip(self.grid.height, self.grid.width), (window.height, window.width)
        near = self._outlines.near(inside)
        if not inside.pixels or not len(near):
            return np.zeros(shape, dtype=bool)
        burned = rasterize(((piece, 1) for piece in near), out_shape=shape, transform=Affine.translation(window.col, window.row), dtype="uint8")
        return np.asarray(burned.view(bool))

    def touches(self, windows: Sequence[Window]) -> npt.NDArray[np.bool_]:
        """(windows,) whether any pixel of a window lies in the area.

        Windows far from the polygons and windows well inside are told apart by geometry; the others are looked at pixel by pixel.
        """
        found = np.zeros(len(windows), dtype=bool)
        near = self._outlines.meeting(windows)
        found[near[self._outlines.holding(_lattice([windows[i] for i in near]))]] = True
        near = near[~found[near]]
        found[near[self._outlines.centred([windows[i] for i in near])]] = True
        for i in near[~found[near]]:
            found[i] = self.read(windows[i]).any()
        return found

    def blocks(self, layout: Layout) -> Iterator[BlockIndex]:
        """Blocks with a pixel in the area, in the order in which blocks are read; a few rows of a swath are held at a time, and others not visited."""
        for some in _together(lines(self._outlines.pieces, layout)):
            yield from (some[i] for i in np.flatnonzero(self.touches([layout.window(index) for index in some])))

    def somewhere(self, rng: np.random.Generator) -> tuple[int, int]:
        """(row, col) of a pixel that lies in the area, or beside it where that is narrower than a pixel; large parts are hit more often."""
        pieces = self._outlines.pieces
        sizes = shapely.area(pieces)
        piece = pieces[rng.choice(len(pieces), p=sizes / sizes.sum())]
        left, top, right, bottom = piece.bounds
        drawn = shapely.points(rng.uniform(left, right, DRAWS), rng.uniform(top, bottom, DRAWS))
        point = next(iter(drawn[shapely.within(drawn, piece)]), shapely.point_on_surface(piece))
        return min(int(point.y), self.grid.height - 1), min(int(point.x), self.grid.width - 1)

    @cached_property
    def _outlines(self) -> Outlines:
        if self not in _held:
            _hold(self, load(self.layer, self.grid))
        found = _held[self]
        if found.digest != self.digest:
            raise SourceError(f"{self.layer.who} are not those with which the run began. Put the file back, or begin anew with --fresh.")
        return found


_held: dict[Area, Outlines] = {}


def lay(layer: Layer, grid: Grid) -> Area:
    """Polygons on the grid of a raster. Raises SourceError where they lie elsewhere."""
    outlines = load(layer, grid)
    area = Area(layer=layer, grid=grid, digest=outlines.digest)
    _hold(area, outlines)
    return area


def _hold(area: Area, outlines: Outlines) -> None:
    for old in list(_held)[: max(len(_held) - HELD + 1, 0)]:
        _held.pop(old, None)
    _held[area] = outlines


def _together(lists: Iterable[list[BlockIndex]]) -> Iterator[list[BlockIndex]]:
    """Lists after each other, few of them short."""
    some: list[BlockIndex] = []
    enough = 1
    for each in lists:
        some += each
        if len(some) >= enough:
            yield some
            some, enough = [], min(2 * enough, TOGETHER)
    yield some


def _lattice(windows: Sequence[Window]) -> npt.NDArray[np.object_]:
    """(windows, points) centres of a few pixels of each window."""
    at = np.array([(window.row, window.height, window.col, window.width) for window in windows], dtype=np.int64).reshape(-1, 4)
    rows, cols = (
        first[:, None] + (2 * np.arange(LATTICE) + 1) * size[:, None] // (2 * LATTICE) + 0.5 for first, size in ((at[:, 0], at[:, 1]), (at[:, 2], at[:, 3]))
    )
    return np.asarray(shapely.points(np.tile(cols, LATTICE), np.repeat(rows, LATTICE, 1)))
