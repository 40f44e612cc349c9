"""What an export reads: a layer of a complete store, or the part of it that was asked for, level by level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.grid import Grid, Transform
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.locations import Place
from pipeline.store.layers import LayerSpec
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import open_layer
from pipeline.store.spec import StoreSpec, levels_for


@dataclass(frozen=True)
class LayerPart:
    """A layer within a window of whole blocks."""

    store: Place
    spec: StoreSpec
    name: str
    """Of the layer."""
    window: Window
    """Of the raster, px of the full resolution."""
    block: int
    """Side of a block of the full resolution, px."""
    sparse: bool
    """Whether only some of the blocks were asked for."""

    @property
    def layer(self) -> LayerSpec:
        """What the layer is on disk."""
        return self.spec.layer(self.name)

    @property
    def planes(self) -> int:
        """Bands: classes or channels, or one."""
        return self.layer.planes or 1

    @cached_property
    def grid(self) -> Grid:
        """The georeference of the part, at full resolution."""
        row, col = self.window.row, self.window.col
        return Grid(
            height=self.window.height,
            width=self.window.width,
            transform=moved(self.spec.grid.transform, row, col),
            wkt=self.spec.grid.wkt,
            code=self.spec.grid.code,
            unit=self.spec.grid.unit,
            image_px=moved(self.spec.grid.image_px, row, col),
        )

    @cached_property
    def levels(self) -> int:
        """Levels of the store whose pixels meet the corner of the part, until one fits a single chunk."""
        factor: int = 2 ** (min(self.spec.levels, levels_for(self.grid, self.spec.chunk)) - 1)
        while self.window.row % factor or self.window.col % factor:
            factor //= 2
        return factor.bit_length()

    def size(self, level: int) -> tuple[int, int]:
        """(rows, cols) of a level, px."""
        grid = self.grid.level(level)
        return grid.height, grid.width

    def read(self, level: int, window: Window) -> npt.NDArray[Any]:
        """([planes,] rows, cols) of a window in px of the part's level, which lies inside of it."""
        row, col = window.row + (self.window.row >> level), window.col + (self.window.col >> level)
        rows, cols = slice(row, row + window.height), slice(col, col + window.width)
        array = open_layer(self.store, level, self.name)
        return np.asarray(array[rows, cols] if self.layer.planes is None else array[:, rows, cols])

    def committed(self, level: int, rows: Span) -> Iterator[Span]:
        """Columns, px of the part's level, in order, that blocks with a commit record cover in some rows."""
        _, width = self.size(level)
        if not self.sparse:
            yield Span(0, width)
            return
        side = self.block if level == 0 else self.spec.overview_block
        top, left = self.window.row >> level, self.window.col >> level
        blocks = {
            col
            for row in range((rows.start + top) // side, -(-(rows.stop + top) // side))
            for col in _committed_in(self.store, level, row)
        }
        for col in sorted(blocks):
            start, stop = max(col * side - left, 0), min((col + 1) * side - left, width)
            if start < stop:
                yield Span(start, stop)


@lru_cache(maxsize=64)
def _committed_in(store: Place, level: int, row: int) -> frozenset[int]:
    return frozenset(col for _, col in Ledger(store, level).committed_in(row))


def moved(transform: Transform, row: int, col: int) -> Transform:
    """The transform of a part that begins at a row and a column."""
    a, b, c, d, e, f = transform
    return (a, b, a * col + b * row + c, d, e, d * col + e * row + f)


def exported_part(store: Place, spec: StoreSpec, meta: dict[str, Any], name: str) -> LayerPart:
    """A layer of a complete store, as it is exported.

    Parameters
    ----------
    store
        Where it lies.
    spec, meta
        Its spec, and what its root says of it.
    name
        Of the layer.

    Returns
    -------
    LayerPart
        All of the raster, or the smallest window of whole blocks around all blocks that were asked for.
    """
    block, whole = int(meta["tiles"]["block"]), Window.of(Span(0, spec.grid.height), Span(0, spec.grid.width))
    sparse = "asked" in meta
    _committed_in.cache_clear()
    window = _around(Ledger(store), block, whole) if sparse else whole
    return LayerPart(store=store, spec=spec, name=name, window=window, block=block, sparse=sparse)


def _around(ledger: Ledger, block: int, whole: Window) -> Window:
    """The smallest window of whole blocks around all that are committed; the whole raster where none is."""
    rows, cols = [whole.height, 0], [whole.width, 0]
    for row, col in ledger.listed():
        rows = [min(rows[0], row * block), max(rows[1], (row + 1) * block)]
        cols = [min(cols[0], col * block), max(cols[1], (col + 1) * block)]
    if rows[1] == 0:
        return whole
    return Window.of(Span(rows[0], min(rows[1], whole.height)), Span(cols[0], min(cols[1], whole.width)))
