"""Blocks and the tiles of a block: products of one-axis tilings, enumerated lazily.

And the blocks of overviews over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pipeline.geometry.span import Span
from pipeline.geometry.tiling import HaloTiling, LatticeTiling
from pipeline.geometry.window import Window


@dataclass(frozen=True, slots=True, order=True)
class BlockIndex:
    """Position of a block in the grid of blocks."""

    row: int
    col: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """What the network sees at once."""

    read: Window
    """Core and halo, px of the raster; may reach beyond its far edges."""
    keep: Window
    """The part that counts for the block, px of the raster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockGrid:
    """How a raster is cut into blocks, and blocks into tiles."""

    height: int
    """Rows of the raster, px."""
    width: int
    """Columns of the raster, px."""
    block: int
    """Side of a block, px; blocks at the far edges are clipped."""
    rows: HaloTiling | LatticeTiling
    """Tiling of the row axis."""
    cols: HaloTiling | LatticeTiling
    """Tiling of the column axis."""
    swaths: int = 1
    """Into how many swaths the columns of blocks are cut, which are read one after the other."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks per (column, row) of the grid of blocks: (rows, cols)."""
        return -(-self.height // self.block), -(-self.width // self.block)

    @property
    def count(self) -> int:
        """Number of blocks."""
        rows, cols = self.shape
        return rows * cols

    @property
    def blended(self) -> bool:
        """Whether tiles overlap in what they keep."""
        return isinstance(self.rows, LatticeTiling)

    def blocks(self) -> Iterator[BlockIndex]:
        """All blocks in the order in which they are read: swath by swath, row by row.

        Nothing of the raster's size is held.
        """
        return (index for strip_row in self.strip_rows() for index in strip_row)

    def strip_rows(self) -> Iterator[list[BlockIndex]]:
        """The same, by rows of a swath."""
        for swath in map(self.swath, range(self.swaths)):
            for row in range(self.shape[0]):
                yield [BlockIndex(row, col) for col in range(swath.start, swath.stop)]

    def swath(self, k: int) -> Span:
        """Columns of blocks of a swath; all swaths are about equally wide."""
        cols = self.shape[1]
        return Span(k * cols // self.swaths, (k + 1) * cols // self.swaths)

    def swath_of(self, col: int) -> int:
        """The swath in which a column of blocks lies."""
        return ((col + 1) * self.swaths - 1) // self.shape[1]

    def with_swaths(self, swaths: int) -> BlockGrid:
        """The same blocks, read in so many swaths."""
        return replace(self, swaths=swaths)

    def window(self, index: BlockIndex) -> Window:
        """The pixels that a block owns."""
        rows = Span(index.row * self.block, (index.row + 1) * self.block).clip(self.height)
        cols = Span(index.col * self.block, (index.col + 1) * self.block).clip(self.width)
        return Window.of(rows, cols)

    def tiles(self, index: BlockIndex, inside: Window | None = None, region: Window | None = None) -> Iterator[Tile]:
        """The tiles of a block, row by row, or those that a part of it needs.

        Parameters
        ----------
        index
            The block.
        inside
            The part of it that the tiles keep; all of it by default.
        region
            A part of the block around that, whose frame holds all that the tiles read; the block by default.
        """
        window = region or self.window(index)
        part = inside or window
        cols = list(self.cols.tiles(window.cols, part.cols))
        for row in self.rows.tiles(window.rows, part.rows):
            for col in cols:
                yield Tile(read=Window.of(row.read, col.read), keep=Window.of(row.keep, col.keep))

    def read_window(self, index: BlockIndex, inside: Window | None = None) -> Window:
        """Everything that the tiles of a block, or of a part of it, read: with its halo, aligned to the stride."""
        window = inside or self.window(index)
        return Window.of(self.rows.read_span(window.rows), self.cols.read_span(window.cols))

    def halved(self) -> BlockGrid | None:
        """The same blocks with tiles of half the core, or None where that cannot be done without changing results."""
        if not isinstance(self.rows, HaloTiling) or not isinstance(self.cols, HaloTiling):
            return None
        if min(self.rows.core, self.cols.core) < 2 * self.rows.multiple:
            return None
        return replace(self, rows=_half(self.rows), cols=_half(self.cols))

    def arithmetic_overhead(self) -> float:
        """Network pixels per raster pixel: the arithmetic overhead of halos and overlap."""
        return _axis_work(self.rows, self.height, self.block) * _axis_work(self.cols, self.width, self.block)

    def blend_recompute_share(self) -> float:
        """Arithmetic spent on tiles that straddle blocks, as a share of what one block would need.

        Each of the blocks computes such a tile. 0 without blending.
        """
        if not self.blended:
            return 0.0
        return self.arithmetic_overhead() / replace(self, block=max(self.height, self.width)).arithmetic_overhead() - 1

    def amplification(self, source_block: tuple[int, int] = (1, 1)) -> float:
        """Pixels decoded per raster pixel when each block reads its frame for itself.

        Counted in units of the file's own blocks.
        """
        return _axis_read(self.rows, self.height, self.block, source_block[0]) * _axis_read(
            self.cols, self.width, self.block, source_block[1]
        )


def _half(axis: HaloTiling) -> HaloTiling:
    return replace(axis, core=axis.core // 2 // axis.multiple * axis.multiple)


def _spans(length: int, block: int) -> list[tuple[Span, int]]:
    """Blocks of one axis as (span, how many are like it): first, second, middle and last few stand for all."""
    count = -(-length // block)
    if count <= 64:
        return [(Span(i * block, min((i + 1) * block, length)), 1) for i in range(count)]
    picked = [*range(24), *range(count - 24, count)]
    spans = [(Span(i * block, min((i + 1) * block, length)), 1) for i in picked]
    middle = Span(count // 2 * block, (count // 2 + 1) * block)
    return [*spans, (middle, count - len(picked))]


def _axis_work(axis: HaloTiling | LatticeTiling, length: int, block: int) -> float:
    read_pixels = sum(times * sum(tile.read.size for tile in axis.tiles(span)) for span, times in _spans(length, block))
    return read_pixels / length


def _axis_read(axis: HaloTiling | LatticeTiling, length: int, block: int, unit: int) -> float:
    reads = ((axis.read_span(span).clip(length), times) for span, times in _spans(length, block))
    return sum(times * read.align(unit).clip(length).size for read, times in reads) / length


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
        blocks = {
            (row, col)
            for block_row, block_col in blocks
            for row in _span_above(block_row, block, side)
            for col in _span_above(block_col, block, side)
        }
        per_level.append(blocks)
        block = side
    return per_level


def _span_above(index: int, below: int, side: int) -> range:
    """Blocks of ``side`` px of an overview that lie over a block of ``below`` px of the level below, on one axis."""
    return range(index * below // (2 * side), ((index + 1) * below - 1) // (2 * side) + 1)
