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
from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.sources.aoi.block_rows import blocks_by_row
from pipeline.sources.aoi.pieces import AoiPieces, load_aoi_pieces
from pipeline.sources.polygons import PolygonFile

LATTICE = 4
"""Pixels per axis at which a block is looked at before all of it is."""
_MAX_BATCH = 512
"""Blocks that are looked at together; the first few are not, since some who ask want no more."""
_RANDOM_POINTS = 64
"""Points that are drawn in the box around a piece; that none lies in it is rare."""
_MAX_CACHED = 16
"""Areas that a process keeps in memory."""


@dataclass(frozen=True, kw_only=True)
class Area:
    """Pixels whose centre lies in one of the polygons of a file.

    Pickles as this spec; each process reads the file once, on first use.
    """

    layer: PolygonFile
    grid: Grid
    """Of the raster."""
    digest: str
    """Of the polygons: another file with the same polygons is the same area."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("layer", "grid", "digest")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def description(self) -> str:
        """The polygons, for messages."""
        return self.layer.description

    @property
    def place(self) -> str:
        """Path of the file."""
        return self.layer.path

    @property
    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()

    def read(self, window: Window, step: int = 1) -> npt.NDArray[np.bool_]:
        """(rows, cols) whether a pixel's centre lies in the area; False beyond the raster.

        Parameters
        ----------
        window
            px of the raster, or of an overview of it.
        step
            Px of the raster per px of that overview.

        Raises
        ------
        SourceError
            The file cannot be read any more, or holds other polygons than it did.
        """
        frame = Window(
            row=window.row * step, col=window.col * step, height=window.height * step, width=window.width * step
        )
        inside, shape = frame.clip(self.grid.height, self.grid.width), (window.height, window.width)
        near = self._aoi_pieces.near(inside)
        if not inside.pixels or not len(near):
            return np.zeros(shape, dtype=bool)
        burned = rasterize(
            ((piece, 1) for piece in near),
            out_shape=shape,
            transform=Affine.translation(frame.col, frame.row) * Affine.scale(step),
            dtype="uint8",
        )
        return np.asarray(burned.view(bool))

    def touches(self, windows: Sequence[Window]) -> npt.NDArray[np.bool_]:
        """(windows,) whether any pixel of a window lies in the area.

        Windows far from the polygons and windows well inside are told apart by geometry; the others are looked at pixel
        by pixel.
        """
        touched = np.zeros(len(windows), dtype=bool)
        near = self._aoi_pieces.windows_touching(windows)
        touched[near[self._aoi_pieces.windows_containing(_lattice([windows[i] for i in near]))]] = True
        near = near[~touched[near]]
        touched[near[self._aoi_pieces.centred([windows[i] for i in near])]] = True
        for i in near[~touched[near]]:
            touched[i] = self.read(windows[i]).any()
        return touched

    def blocks(self, layout: BlockGrid) -> Iterator[BlockIndex]:
        """Blocks with a pixel in the area, in the order in which blocks are read.

        A few rows of a swath are held at a time, and others not visited.
        """
        for batch in _batched(blocks_by_row(self._aoi_pieces.pieces, layout)):
            yield from (batch[i] for i in np.flatnonzero(self.touches([layout.window(index) for index in batch])))

    def random_pixel(self, rng: np.random.Generator) -> tuple[int, int]:
        """(row, col) of a pixel that lies in the area, or beside it where that is narrower than a pixel.

        Large parts are hit more often.
        """
        pieces = self._aoi_pieces.pieces
        sizes = self._aoi_pieces.areas
        piece = pieces[rng.choice(len(pieces), p=sizes / sizes.sum())]
        left, top, right, bottom = piece.bounds
        points = shapely.points(rng.uniform(left, right, _RANDOM_POINTS), rng.uniform(top, bottom, _RANDOM_POINTS))
        point = next(iter(points[shapely.within(points, piece)]), shapely.point_on_surface(piece))
        return min(int(point.y), self.grid.height - 1), min(int(point.x), self.grid.width - 1)

    @cached_property
    def _aoi_pieces(self) -> AoiPieces:
        if self not in _cached:
            _cache(self, load_aoi_pieces(self.layer, self.grid))
        pieces = _cached[self]
        if pieces.digest != self.digest:
            raise SourceError(
                f"{self.layer.description} are not those with which the run began. Put the file back, or "
                f"begin anew with --fresh."
            )
        return pieces


_cached: dict[Area, AoiPieces] = {}


def open_aoi(layer: PolygonFile, grid: Grid) -> Area:
    """Polygons on the grid of a raster. Raises SourceError where they lie elsewhere."""
    pieces = load_aoi_pieces(layer, grid)
    area = Area(layer=layer, grid=grid, digest=pieces.digest)
    _cache(area, pieces)
    return area


def _cache(area: Area, pieces: AoiPieces) -> None:
    for old in list(_cached)[: max(len(_cached) - _MAX_CACHED + 1, 0)]:
        _cached.pop(old, None)
    _cached[area] = pieces


def _batched(lists: Iterable[list[BlockIndex]]) -> Iterator[list[BlockIndex]]:
    """Lists after each other, few of them short."""
    batch: list[BlockIndex] = []
    enough = 1
    for row_blocks in lists:
        batch += row_blocks
        if len(batch) >= enough:
            yield batch
            batch, enough = [], min(2 * enough, _MAX_BATCH)
    yield batch


def _lattice(windows: Sequence[Window]) -> npt.NDArray[np.object_]:
    """(windows, points) centres of a few pixels of each window."""
    at = np.array(
        [(window.row, window.height, window.col, window.width) for window in windows], dtype=np.int64
    ).reshape(-1, 4)
    rows, cols = (
        first[:, None] + (2 * np.arange(LATTICE) + 1) * size[:, None] // (2 * LATTICE) + 0.5
        for first, size in ((at[:, 0], at[:, 1]), (at[:, 2], at[:, 3]))
    )
    return np.asarray(shapely.points(np.tile(cols, LATTICE), np.repeat(rows, LATTICE, 1)))
