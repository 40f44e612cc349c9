"""Overlapping tiles, weighted by tapers, added up and normalised by the exact sum of the weights.

The block is swept by rows of tiles: what lies above the next row of tiles has all its tiles and leaves, so that the sum
is held over the height of one tile only::

    |------ block ------|
    |   left already    |
    |===================| ← next row of tiles begins here
    |   sum, one tile   |
    |      high         |
    |===================|
    |  not begun        |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import torch

from pipeline.geometry.blocks import BlockGrid, Tile
from pipeline.geometry.span import Span, cut
from pipeline.geometry.tiling import AxisTile
from pipeline.geometry.window import Window
from pipeline.inference.tapers import Taper
from pipeline.runtime.transfer import small_to_device

Weights = dict[Span, torch.Tensor]


def blend(
    tiles: Iterable[tuple[Tile, torch.Tensor]], layout: BlockGrid, area: Window, taper: Taper
) -> Iterator[tuple[Window, torch.Tensor]]:
    """Blend the tiles of an area.

    The tiles come in the order of the raster's lattice, so that every pixel adds up the same numbers in the same order
    whatever the area is.

    Parameters
    ----------
    tiles
        Row by row, with (classes, rows, cols) float32 of what each keeps; a tile may be absent where none of its pixels
        counts.
    layout
        Of the whole raster.
    area
        What is blended, px of the raster.
    taper
        Weights over an axis of a tile.

    Yields
    ------
    tuple
        Strips of the area from top to bottom, and their means (classes, rows, cols) float32, which are overwritten
        afterwards.
    """
    accumulator: _RowAccumulator | None = None
    for top, row in groupby(tiles, key=lambda pair: pair[0].read.row):
        if accumulator is not None:
            yield from accumulator.flush_above(top)
        for tile, logits in row:
            accumulator = accumulator or _RowAccumulator(len(logits), layout, area, taper, logits.device)
            accumulator.add(tile, logits)
    if accumulator is not None:
        yield from accumulator.flush_above(area.rows.stop)


class _RowAccumulator:
    """The weighted sum over the rows of an area that are under way."""

    def __init__(self, classes: int, layout: BlockGrid, area: Window, taper: Taper, device: torch.device) -> None:
        self._area = area
        self._top, self._tile_px = area.row, layout.rows.largest * layout.cols.largest
        self._sum = torch.zeros(
            (classes, min(layout.rows.largest, area.height), area.width), dtype=torch.float32, device=device
        )
        self._rows, self._row_total = _weights(layout.rows.tiles(area.rows), area.rows, taper, device)
        self._cols, self._col_total = _weights(layout.cols.tiles(area.cols), area.cols, taper, device)

    def add(self, tile: Tile, logits: torch.Tensor) -> None:
        keep = tile.keep.intersect(self._area)
        weight = torch.outer(self._rows[tile.read.rows], self._cols[tile.read.cols])
        rows = slice(keep.row - self._top, keep.rows.stop - self._top)
        self._sum[:, rows, keep.cols.index_in(self._area.cols)] += (
            logits[(slice(None), *keep.index_in(tile.keep))] * weight
        )

    def flush_above(self, until: int) -> Iterator[tuple[Window, torch.Tensor]]:
        """Give away the rows above ``until``, at most a tile's worth of pixels at a time, and move up what is left."""
        done = max(min(until, self._area.rows.stop) - self._top, 0)
        for rows in cut(min(done, self._sum.shape[1]), max(1, self._tile_px // self._area.width)):
            total = self._row_total[self._top - self._area.row :][rows.start : rows.stop]
            strip = self._sum[:, rows.start : rows.stop]
            strip /= torch.outer(total, self._col_total).to(torch.float32)
            yield (
                Window(row=self._top + rows.start, col=self._area.col, height=rows.size, width=self._area.width),
                strip,
            )
        self._shift_up(done)

    def _shift_up(self, rows: int) -> None:
        height = self._sum.shape[1]
        if not rows:
            return
        # no further at once than it moves, since source and target may not overlap
        for span in cut(max(height - rows, 0), rows):
            self._sum[:, span.start : span.stop] = self._sum[:, span.start + rows : span.stop + rows]
        self._sum[:, max(height - rows, 0) :] = 0
        self._top += rows


def _weights(
    pieces: Iterable[AxisTile], axis: Span, taper: Taper, device: torch.device
) -> tuple[Weights, torch.Tensor]:
    """Weights of each tile over what it keeps, and their sum over the axis, (px,) float64 on the device."""
    weights: Weights = {}
    total = np.zeros(axis.size, dtype=np.float64)
    for piece in pieces:
        tile_weights = taper(piece.read.size)[piece.keep.index_in(piece.read)]
        total[piece.keep.index_in(axis)] += tile_weights
        weights[piece.read] = small_to_device(tile_weights, device)
    return weights, small_to_device(total, device)
