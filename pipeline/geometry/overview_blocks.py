"""Which blocks of the overviews there must be, where only some of the full resolution are asked for: those that lie over one."""

from __future__ import annotations

from collections.abc import Iterable

BlockKey = tuple[int, int]


def due(blocks: Iterable[BlockKey], block: int, side: int, levels: int) -> list[set[BlockKey]]:
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
    found: list[set[BlockKey]] = []
    for _ in range(1, levels):
        blocks = {(row, col) for above, beside in blocks for row in _over(above, block, side) for col in _over(beside, block, side)}
        found.append(blocks)
        block = side
    return found


def _over(index: int, below: int, side: int) -> range:
    """Blocks of ``side`` px of an overview that lie over a block of ``below`` px of the level below, on one axis."""
    return range(index * below // (2 * side), ((index + 1) * below - 1) // (2 * side) + 1)
