"""The lattice points of a mask, block by block, each with the components of the four pixels around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.objects.columns import Int64s
from pipeline.objects.components import Components
from pipeline.objects.sweep import BlockHook

NO_COMPONENT = -1
"""Stands for the component of nodata, and of what lies outside the mask."""

_Lines = Mapping[int, Int64s]
"""Lines of pixels by the columns of their blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatticeBlock:
    """Lattice points around which the components are known."""

    row: int
    """Of the first point; the point (row, col) is the upper left corner of the pixel (row, col)."""
    col: int
    padded: Int64s
    """(rows + 1, cols + 1) components: a row above and a column to the left of the pixels below and right of points."""


def lattice_blocks(components: Components, after_block: BlockHook | None = None) -> Iterator[LatticeBlock]:
    """All lattice points at which there may be a boundary, each once, from the top.

    Each block brings the points at the upper left corners of its pixels. Where there is no block below or to the right,
    also beyond the mask, the points along that face follow.
    """
    above: dict[int, Int64s] = {}
    previous = None
    for row, cols in components.blocks.rows():
        if previous is not None and row != previous + 1:
            yield from _empty_row(components, previous + 1, above)
            above = {}
        below: dict[int, Int64s] = {}
        yield from _row(components, row, cols, above, below, after_block)
        above, previous = below, row
    if previous is not None:
        yield from _empty_row(components, previous + 1, above)


def _row(
    components: Components, row: int, cols: list[int], above: _Lines, below: dict[int, Int64s], hook: BlockHook | None
) -> Iterator[LatticeBlock]:
    """The points of one row of blocks; fills the lines of pixels for the row below."""
    present, right = frozenset(cols), dict[int, Int64s]()
    height = components.blocks.window((row, cols[0])).height
    for col in sorted({*cols, *(col + 1 for col in cols), *above, *(col + 1 for col in above)}):
        before = right.pop(col - 1, None)
        if col in present:
            indices = components.index_block((row, col))[2]
            right[col], below[col] = indices[:, -1], indices[-1]
            if hook is not None:
                hook()
        else:
            width = len(above[col]) if col in above else 1
            indices = np.full((height if before is not None else 1, width), NO_COMPONENT)
        yield _padded(components, row, col, indices, above, before)


def _empty_row(components: Components, row: int, above: _Lines) -> Iterator[LatticeBlock]:
    """The points between a row of blocks and one that is absent."""
    for col in sorted({*above, *(col + 1 for col in above)}):
        width = len(above[col]) if col in above else 1
        yield _padded(components, row, col, np.full((1, width), NO_COMPONENT), above, None)


def _padded(
    components: Components, row: int, col: int, indices: Int64s, above: _Lines, before: Int64s | None
) -> LatticeBlock:
    padded = np.full((indices.shape[0] + 1, indices.shape[1] + 1), NO_COMPONENT)
    padded[1:, 1:] = indices
    if col in above:
        padded[0, 1:] = above[col]
    if col - 1 in above:
        padded[0, 0] = above[col - 1][-1]
    if before is not None:
        padded[1:, 0] = before
    side = components.blocks.side
    return LatticeBlock(
        row=min(row * side, components.blocks.mask.height),
        col=min(col * side, components.blocks.mask.width),
        padded=padded,
    )
