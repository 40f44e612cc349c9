"""Pixel rectangles: the product of two spans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from pipeline.geometry.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A pixel rectangle of a raster. It may reach beyond the raster; readers pad what lies outside."""

    row: int
    """First row, px."""
    col: int
    """First column, px."""
    height: int
    """Rows, px."""
    width: int
    """Columns, px."""

    @classmethod
    def of(cls, rows: Span, cols: Span) -> Window:
        """The product of a span of rows and a span of columns."""
        return cls(row=rows.start, col=cols.start, height=rows.size, width=cols.size)

    @property
    def rows(self) -> Span:
        """The rows as a span."""
        return Span(self.row, self.row + self.height)

    @property
    def cols(self) -> Span:
        """The columns as a span."""
        return Span(self.col, self.col + self.width)

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an array that covers the raster."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def index_in(self, outer: Window) -> tuple[slice, slice]:
        """Index of this window in an array that covers ``outer``."""
        return self.rows.index_in(outer.rows), self.cols.index_in(outer.cols)

    def clip(self, height: int, width: int) -> Window:
        """The part inside a raster of ``height`` × ``width`` px."""
        return Window.of(self.rows.clip(height), self.cols.clip(width))

    def intersect(self, other: Window) -> Window:
        """What two windows share; without pixels where they are apart."""
        return Window.of(self.rows.intersect(other.rows), self.cols.intersect(other.cols))

    def __str__(self) -> str:
        return f"rows {self.row}–{self.row + self.height - 1}, cols {self.col}–{self.col + self.width - 1}"


def lattice_parts(window: Window, rows: int, cols: int) -> Iterator[Window]:
    """Parts of a window, cut where the raster's rows and columns are multiples of these."""
    for down, across in product(_parts(window.rows, rows), _parts(window.cols, cols)):
        yield Window.of(down, across)


def _parts(span: Span, side: int) -> Iterator[Span]:
    """Parts of a span, cut at the multiples of a side."""
    for start in range(span.start // side * side, span.stop, side):
        yield Span(start, start + side).intersect(span)


def bounding_window(mask: npt.NDArray[np.bool_], window: Window) -> Window | None:
    """The smallest window that holds all wanted pixels, (rows, cols), of a window; None where there is none."""
    if mask.all():  # as nearly always, and many times quicker to see
        return window
    rows, cols = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return Window.of(
        *(
            Span(start + int(indices[0]), start + int(indices[-1]) + 1)
            for start, indices in ((window.row, rows), (window.col, cols))
        )
    )
