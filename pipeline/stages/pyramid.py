"""Overviews: a second pass with its own blocks and commit records, each level from the one below."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.plan.layout import BlockIndex
from pipeline.raster.span import cut, round_down
from pipeline.raster.window import Window
from pipeline.store.layout import open_layer
from pipeline.store.ledger import Ledger, commit_block
from pipeline.store.spec import StoreSpec

SIDE = 1024
"""Side of a block of an overview, px, or one storage unit where that is larger."""

Array = npt.NDArray[np.unsignedinteger[Any]]


def build(path: Path, spec: StoreSpec, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Write all overviews that are not committed yet.

    Parameters
    ----------
    path
        A store whose blocks are all committed.
    spec
        Its spec.
    progress
        Called with the blocks done and the blocks of all levels.
    """
    work = [(level, index, window) for level in range(1, spec.levels) for index, window in _blocks(spec, level)]
    committed = {level: Ledger(path, level).committed() for level in range(1, spec.levels)}
    for done, (level, index, window) in enumerate(work):
        if (index.row, index.col) not in committed[level]:
            _reduce(path, spec, level, index, window)
        progress(done + 1, len(work))


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
    last = np.int32(2**20)  # beyond every code, so that the invalid sort to the end
    a, b, c, d = (np.where(part == nodata, last, part.astype(np.int32)) for part in _quarters(mask, nodata))
    a, b = np.minimum(a, b), np.maximum(a, b)
    c, d = np.minimum(c, d), np.maximum(c, d)
    a, c = np.minimum(a, c), np.maximum(a, c)
    b, d = np.minimum(b, d), np.maximum(b, d)
    b, c = np.minimum(b, c), np.maximum(b, c)  # a ≤ b ≤ c ≤ d, the invalid last
    voted = [valid & (low == high) for low, high, valid in ((a, b, b != last), (b, c, c != last), (c, d, d != last))]
    mode = np.select(voted, [a, b, c], a)
    return np.where(mode == last, nodata, mode).astype(mask.dtype)


def reduce_confidence(confidence: Array, valid: npt.NDArray[np.bool_]) -> Array:
    """Mean of 2×2 valid pixels, rounded half up; 0 where none is valid. Shapes as for the mask."""
    weights = [part.astype(np.uint16) for part in _quarters(valid, False)]
    total = sum((part.astype(np.uint16) * weight for part, weight in zip(_quarters(confidence, 0), weights, strict=True)), np.uint16(0))
    count = np.maximum(sum(weights, np.uint16(0)), 1)
    return np.asarray((2 * total + count) // (2 * count)).astype(confidence.dtype)


def _reduce(path: Path, spec: StoreSpec, level: int, index: BlockIndex, window: Window) -> None:
    below = spec.grid.level(level - 1)
    source = Window(row=2 * window.row, col=2 * window.col, height=2 * window.height, width=2 * window.width).clip(below.height, below.width)
    mask = np.asarray(open_layer(path, level - 1, "mask")[source.slices])
    if (mask != spec.nodata).any():
        for layer in spec.layers:
            values = reduce_mask(mask, spec.nodata) if layer == "mask" else reduce_confidence(
                np.asarray(open_layer(path, level - 1, layer)[source.slices]), mask != spec.nodata
            )  # fmt: skip
            open_layer(path, level, layer)[window.slices] = values
    commit_block(path, level, (index.row, index.col), window, spec.layers, {})


def _blocks(spec: StoreSpec, level: int) -> Iterator[tuple[BlockIndex, Window]]:
    grid, side = spec.grid.level(level), max(round_down(SIDE, spec.unit), spec.unit)
    for i, rows in enumerate(cut(grid.height, side)):
        for j, cols in enumerate(cut(grid.width, side)):
            yield BlockIndex(i, j), Window.of(rows, cols)


def _quarters(values: npt.NDArray[Any], fill: Any) -> list[npt.NDArray[Any]]:
    """The four pixels of each 2×2, each (⌈rows/2⌉, ⌈cols/2⌉)."""
    rows, cols = values.shape
    if rows % 2 or cols % 2:
        values = np.pad(values, ((0, rows % 2), (0, cols % 2)), constant_values=fill)
    return [values[i::2, j::2] for i in (0, 1) for j in (0, 1)]
