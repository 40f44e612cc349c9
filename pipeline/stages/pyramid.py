"""Overviews: a second pass with its own blocks and commit records, each level from the one below.

A block of an overview covers several blocks of the level below, so whoever writes those cannot write it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.plan.layout import BlockIndex
from pipeline.protocols import Engine
from pipeline.raster.span import Span, cut
from pipeline.raster.window import Window
from pipeline.store.layout import open_layer
from pipeline.store.ledger import Ledger, commit_block, holds_anything
from pipeline.store.spec import StoreSpec

Array = npt.NDArray[np.unsignedinteger[Any]]


def serial(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """One block after another: the meaning of every engine."""
    return map(work, items)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTask:
    """Makes the blocks of one overview from the level below; small and picklable."""

    store: Path
    spec: StoreSpec
    level: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks: (rows, cols)."""
        grid, side = self.spec.grid.level(self.level), self.spec.overview_block
        return -(-grid.height // side), -(-grid.width // side)

    def window(self, index: BlockIndex) -> Window:
        """The pixels of the overview that a block owns."""
        grid, side = self.spec.grid.level(self.level), self.spec.overview_block
        rows, cols = (Span(i * side, (i + 1) * side) for i in (index.row, index.col))
        return Window.of(rows, cols).clip(grid.height, grid.width)

    def missing(self) -> Iterator[BlockIndex]:
        """Blocks without a record, row by row; one row is held at a time."""
        ledger, (rows, cols) = Ledger(self.store, self.level), self.shape
        for row in range(rows):
            there = ledger.committed_in(row)
            yield from (BlockIndex(row, col) for col in range(cols) if (row, col) not in there)

    def __call__(self, index: BlockIndex) -> BlockIndex:
        """Reduce, write and commit one block."""
        window = self.window(index)
        if holds_anything(self.store, self.level - 1, "mask", self._below(window)):
            for layer, values in self._reduce(window).items():
                open_layer(self.store, self.level, layer)[window.slices] = values
        commit_block(self.store, self.level, (index.row, index.col), window, self.spec.layers, {})
        return index

    def _reduce(self, window: Window) -> dict[str, Array]:
        """All layers of a block, from strips one chunk high: what is held beside the block itself does not grow with it."""
        made: dict[str, Array] = {
            layer: np.empty((window.height, window.width), self.spec.dtype if layer == "mask" else np.uint8) for layer in self.spec.layers
        }
        for rows in cut(window.height, self.spec.chunk):
            strip = Window(row=window.row + rows.start, col=window.col, height=rows.size, width=window.width)
            for layer, values in self._reduce_strip(self._below(strip)).items():
                made[layer][rows.start : rows.stop] = values
        return made

    def _reduce_strip(self, below: Window) -> dict[str, Array]:
        read = {layer: np.asarray(open_layer(self.store, self.level - 1, layer)[below.slices]) for layer in self.spec.layers}
        valid = read["mask"] != self.spec.nodata
        return {
            layer: reduce_mask(values, self.spec.nodata) if layer == "mask" else reduce_confidence(values, valid) for layer, values in read.items()
        }  # fmt: skip

    def _below(self, window: Window) -> Window:
        """The pixels of the level below that a window of this one is made from."""
        grid = self.spec.grid.level(self.level - 1)
        return Window(row=2 * window.row, col=2 * window.col, height=2 * window.height, width=2 * window.width).clip(grid.height, grid.width)


def build(
    path: Path,
    spec: StoreSpec,
    progress: Callable[[int, int], None] = lambda done, total: None,
    engine: Engine = serial,
) -> None:
    """Write all overviews that are not committed yet, level by level.

    Parameters
    ----------
    path
        A store whose blocks are all committed.
    spec
        Its spec.
    progress
        Called with the blocks done and the blocks of all overviews.
    engine
        Runs the blocks of one level, in any order.
    """
    tasks = [LevelTask(store=path, spec=spec, level=level) for level in range(1, spec.levels)]
    total, done = sum(rows * cols for rows, cols in (task.shape for task in tasks)), 0
    for task in tasks:
        rows, cols = task.shape
        there = Ledger(path, task.level).count()
        for made, _ in enumerate(engine(task, task.missing()), start=1):
            progress(done + there + made, total)
        done += rows * cols
        progress(done, total)


def reduce_mask(mask: Array, nodata: int) -> Array:
    """Mode of 2×2 valid pixels.

    Parameters
    ----------
    mask
        (rows, cols), odd sizes count as padded with nodata.
    nodata
        Pixels of this value do not vote; where all four have it, so has the result.

    Returns
    -------
    Array
        (⌈rows/2⌉, ⌈cols/2⌉); ties go to the lowest code.
    """
    wide = np.uint16 if mask.dtype == np.uint8 else np.uint32
    last = wide(np.iinfo(mask.dtype).max + 1)  # beyond every code, so that the invalid sort to the end
    a, b, c, d = (np.where(part == nodata, last, part.astype(wide)) for part in _quarters(mask, nodata))
    a, b = np.minimum(a, b), np.maximum(a, b)
    c, d = np.minimum(c, d), np.maximum(c, d)
    a, c = np.minimum(a, c), np.maximum(a, c)
    b, d = np.minimum(b, d), np.maximum(b, d)
    b, c = np.minimum(b, c), np.maximum(b, c)  # a ≤ b ≤ c ≤ d, the invalid last
    voted = [valid & (low == high) for low, high, valid in ((a, b, b != last), (b, c, c != last), (c, d, d != last))]
    mode = np.select(voted, [a, b, c], a)
    return np.where(mode == last, wide(nodata), mode).astype(mask.dtype)


def reduce_confidence(confidence: Array, valid: npt.NDArray[np.bool_]) -> Array:
    """Mean of 2×2 valid pixels, rounded half up; 0 where none is valid. Shapes as for the mask."""
    weights = [part.astype(np.uint16) for part in _quarters(valid, False)]
    total = sum((part.astype(np.uint16) * weight for part, weight in zip(_quarters(confidence, 0), weights, strict=True)), np.uint16(0))
    count = np.maximum(sum(weights, np.uint16(0)), 1)
    return np.asarray((2 * total + count) // (2 * count)).astype(confidence.dtype)


def _quarters(values: npt.NDArray[Any], fill: Any) -> list[npt.NDArray[Any]]:
    """The four pixels of each 2×2, each (⌈rows/2⌉, ⌈cols/2⌉)."""
    rows, cols = values.shape
    if rows % 2 or cols % 2:
        values = np.pad(values, ((0, rows % 2), (0, cols % 2)), constant_values=fill)
    return [values[i::2, j::2] for i in (0, 1) for j in (0, 1)]
