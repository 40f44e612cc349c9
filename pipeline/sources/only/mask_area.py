"""A mask of any resolution laid over a raster, by windows and by blocks.

A pixel of the raster is asked for where the cell of the mask is set in which its centre lies::

    mask      |   0   |   1   |      cells
    raster    | | | | | | | | |      pixels, here four to a cell
                       ^ ^ ^ ^       asked for
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.packed_mask import CellNumbers, MaskCells, PackedMask
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window

_PIXEL_TRIES = 32
"""Pixels that are drawn in cells of the mask; that none lies in the raster is rare."""


class MaskOrigin(Protocol):
    """Where a mask comes from; small, hashable, and pickles."""

    @property
    def digest(self) -> str:
        """Of its cells and of where they lie."""

    @property
    def description(self) -> str:
        """The mask in the plural, for messages."""

    @property
    def place(self) -> str:
        """Path of a file, or what else it is made of."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of it."""

    def packed(self) -> PackedMask:
        """The mask, in memory once per process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisMap:
    """Which cell of a mask the centre of a pixel lies in, on one axis."""

    scale: float
    """Cells per pixel."""
    offset: float = 0.0
    """Cell at the raster's first edge."""

    def cells(self, span: Span, step: int = 1) -> CellNumbers:
        """(size,) cells of the pixels of a span, or of those of an overview of so many px per pixel."""
        centres = (np.arange(span.start, span.stop) + 0.5) * step
        cells: CellNumbers = np.floor(centres * self.scale + self.offset).astype(np.int64)
        return cells

    def pixel(self, cell: float) -> int:
        """The pixel that holds a place of the mask."""
        return int(np.floor((cell - self.offset) / self.scale))


@dataclass(frozen=True, kw_only=True)
class MaskArea:
    """Pixels of a raster in the cells of a mask that are set. Pickles as its spec."""

    origin: MaskOrigin
    height: int
    """Rows of the raster, px."""
    width: int
    """Columns of the raster, px."""
    rows: AxisMap
    cols: AxisMap

    @property
    def digest(self) -> str:
        """Of the mask: another file with the same cells in the same place is the same area."""
        return self.origin.digest

    @property
    def description(self) -> str:
        """The mask, for messages."""
        return self.origin.description

    @property
    def place(self) -> str:
        """Where the mask comes from."""
        return self.origin.place

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of the mask."""
        return self.origin.notes

    def read(self, window: Window, step: int = 1) -> MaskCells:
        """(rows, cols) whether a pixel is asked for; False beyond the raster. Raises SourceError."""
        rows, cols = self._cells(window, step)
        return self.origin.packed().take(rows, cols)

    def touches(self, windows: Sequence[Window]) -> MaskCells:
        """(windows,) whether any pixel of a window is asked for."""
        mask = self.origin.packed()
        return np.array([mask.take(*map(np.unique, self._cells(window))).any() for window in windows], dtype=bool)

    def blocks(self, layout: BlockGrid) -> Iterator[BlockIndex]:
        """Blocks with a pixel that is asked for, in the order in which blocks are read."""
        mask = self.origin.packed()
        for strip in layout.strip_rows():
            if strip:
                yield from self._touched_in_row(mask, strip, layout)

    def random_pixel(self, rng: np.random.Generator) -> tuple[int, int]:
        """(row, col) of a pixel that is asked for, or near one where the mask is finer than the raster."""
        counts = (mask := self.origin.packed()).row_counts()
        for _ in range(_PIXEL_TRIES):
            row = int(rng.choice(len(counts), p=counts / counts.sum()))
            col = int(rng.choice(np.flatnonzero(mask.take(np.array([row]), np.arange(mask.width))[0])))
            place = self.rows.pixel(row + rng.random()), self.cols.pixel(col + rng.random())
            if self.read(Window(row=place[0], col=place[1], height=1, width=1)).any():
                return place
        return min(max(place[0], 0), self.height - 1), min(max(place[1], 0), self.width - 1)

    def _touched_in_row(self, mask: PackedMask, strip: list[BlockIndex], layout: BlockGrid) -> Iterator[BlockIndex]:
        """Those of blocks side by side that hold a pixel: the columns of all are looked at together."""
        first, last = layout.window(strip[0]), layout.window(strip[-1])
        rows, cols = self._cells(Window.of(first.rows, Span(first.col, last.cols.stop)))
        line = mask.any_of_rows(rows)
        if line.any():
            inside = (cols >= 0) & (cols < mask.width)
            hits = np.where(inside, line[np.clip(cols, 0, mask.width - 1)], False)
            touched = np.logical_or.reduceat(hits, np.arange(0, len(hits), layout.block))
            yield from (strip[i] for i in np.flatnonzero(touched))

    def _cells(self, window: Window, step: int = 1) -> tuple[CellNumbers, CellNumbers]:
        """Cells of the rows and of the columns of a window; -1 beyond the raster."""
        rows, cols = self.rows.cells(window.rows, step), self.cols.cells(window.cols, step)
        for cells, span, length in ((rows, window.rows, self.height), (cols, window.cols, self.width)):
            at = np.arange(span.start, span.stop)
            cells[(at < 0) | (at >= -(-length // step))] = -1
        return rows, cols
