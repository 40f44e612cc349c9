"""Which blocks of the overviews there must be, where only some of the full resolution are asked for: those that lie over one."""

from __future__ import annotations

from collections.abc import Iterable

_BlockKey = tuple[int, int]


def overview_blocks_above(blocks: Iterable[_BlockKey], block: int, side: int, levels: int) -> list[set[_BlockKey]]:
    """Blocks of each overview, finest first.

    Parameters
    ----------
    blocks
        (row, col) of the blocks of the full resolution that are there.
    block
        Their side, px.
    side
        Of a block of an overview, px of the overview.
    levels
        Of the store, the full resolution among them.
    """
    per_level: list[set[_BlockKey]] = []
    for _ in range(1, levels):
        blocks = {(row, col) for block_row, block_col in blocks for row in _span_above(block_row, block, side) for col in _span_above(block_col, block, side)}
        per_level.append(blocks)
        block = side
    return per_level


def _span_above(index: int, below: int, side: int) -> range:
    """Blocks of ``side`` px of an overview that lie over a block of ``below`` px of the level below, on one axis."""
    return range(index * below // (2 * side), ((index + 1) * below - 1) // (2 * side) + 1)
