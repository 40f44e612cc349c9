"""What neighbouring blocks read in common, and in which order they are read.

What is kept meanwhile is kept so that it is decoded once.

Blocks are read in swaths, each from top to bottom and row by row. While a swath is as wide as three blocks, two of them
done::

    |      |      |      |
    |======|======|------|   ← what the row below reads again is held,
    |  1   |  2  ||      |     and what the next block of the row does

A swath shares nothing with the next one, so that what reaches over its sides is decoded for each: wide swaths decode
less and hold more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.span import Span, cut
from pipeline.geometry.tiling import HaloTiling, LatticeTiling
from pipeline.geometry.window import Window

UNIT_PX = 2**14
"""Pixels of a unit at least: smaller blocks of a file are taken several at a time."""
DECODED_PX = 3 * 2**19
"""Pixels that a reader decodes at once, unless one unit is larger."""
AIM = 1.1
"""Pixels decoded per pixel of the raster that are worth no more memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSharing:
    """How what neighbouring blocks read in common is decoded once."""

    unit: tuple[int, int]
    """(rows, cols) of what is decoded and held as one, px: whole blocks of the file."""
    swaths: int
    """Swaths in which blocks are read."""
    cached_bytes: int
    """Bytes of decoded pixels that are held for neighbours; 0 where each block reads for itself."""
    amplification: float
    """Pixels decoded per pixel of the raster."""

    @property
    def decoding(self) -> int:
        """Pixels that a reader decodes at once, beside those of its block."""
        return max(DECODED_PX, self.unit[0] * self.unit[1]) if self.cached_bytes else 0


@dataclass(frozen=True, slots=True)
class ReadExtents:
    """What the blocks of one axis read, in order; all of it grows from block to block."""

    starts: tuple[int, ...]
    """First pixel that each block reads."""
    tops: tuple[int, ...]
    """The same in whole units, px."""
    ends: tuple[int, ...]
    """Where it ends, in whole units, px, inside the raster."""

    @property
    def shared(self) -> int:
        """Pixels that are read before some cut between blocks and again behind it, at most."""
        return max((end - top for end, top in zip(self.ends, self.tops[1:], strict=False) if end > top), default=0)

    @property
    def longest(self) -> int:
        """Pixels of the longest."""
        return self.span(1)

    def span(self, blocks: int) -> int:
        """Pixels that so many blocks beside each other read, at most."""
        last = len(self.ends) - 1
        return max(self.ends[min(i + blocks - 1, last)] - top for i, top in enumerate(self.tops))

    def users(self, pixel: int, among: Span | None = None) -> Span:
        """Blocks that read the unit which begins at a pixel."""
        low, high = (0, len(self.tops)) if among is None else (among.start, among.stop)
        return Span(bisect_right(self.ends, pixel, low, high), bisect_right(self.tops, pixel, low, high))

    def block(self, pixel: int) -> int:
        """The last block that reads from a pixel on, or from before it."""
        return max(bisect_right(self.starts, pixel) - 1, 0)


@lru_cache(maxsize=64)
def read_extents(axis: HaloTiling | LatticeTiling, length: int, block: int, unit: int) -> ReadExtents:
    """What each block of an axis reads, in units of the source.

    Parameters
    ----------
    axis
        How it is tiled.
    length, block, unit
        Of the axis, of a block and of a unit, px.
    """
    reads = [axis.read_span(span) for span in cut(length, block)]
    inside = [read.clip(length).align(unit).clip(length) for read in reads]
    return ReadExtents(
        tuple(read.start for read in reads), tuple(read.start for read in inside), tuple(read.stop for read in inside)
    )


def unit_of(block: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """What is decoded as one, (rows, cols) in px: so many blocks of the file that there are not very many units.

    The shorter side is doubled until the unit is large enough, or covers the raster.
    """
    rows, cols = block
    while rows * cols < UNIT_PX and (rows < height or cols < width):
        if cols >= width or (rows <= cols and rows < height):
            rows *= 2
        else:
            cols *= 2
    return rows, cols


def plan_read_sharing(
    layout: BlockGrid, block: tuple[int, int], per_pixel: int, room: int, workers: int
) -> ReadSharing:
    """Choose the swaths: the least memory with which hardly anything is decoded twice.

    Where there is less memory, the best that there is room for.

    Parameters
    ----------
    layout
        Of the raster.
    block
        (rows, cols) of the file's own blocks, px.
    per_pixel
        Bytes of a decoded pixel.
    room
        Bytes that may be held.
    workers
        Blocks in flight.
    """
    unit = unit_of(block, layout.height, layout.width)
    unshared = ReadSharing(unit=unit, swaths=1, cached_bytes=0, amplification=layout.amplification(block))
    for swaths in _worthwhile(layout, unit):
        amplification = _decoded(layout, unit, swaths) / layout.width
        cached_bytes = _cached_pixels(layout, unit, swaths, workers) * per_pixel
        if not cached_bytes or amplification >= unshared.amplification:
            return unshared
        if cached_bytes <= room:
            return ReadSharing(unit=unit, swaths=swaths, cached_bytes=cached_bytes, amplification=amplification)
    return unshared


def extents_per_axis(layout: BlockGrid, unit: tuple[int, int]) -> tuple[ReadExtents, ReadExtents]:
    """What the rows and the columns of blocks read."""
    return read_extents(layout.rows, layout.height, layout.block, unit[0]), read_extents(
        layout.cols, layout.width, layout.block, unit[1]
    )


def earlier_readers(layout: BlockGrid, unit: tuple[int, int], index: BlockIndex) -> Iterator[BlockIndex]:
    """Blocks of the same swath that come before one and may read something of what it reads."""
    rows, cols = extents_per_axis(layout, unit)
    among = layout.swath(layout.swath_of(index.col))
    first_row, first_col = (bisect_right(axis.ends, axis.tops[i]) for axis, i in ((rows, index.row), (cols, index.col)))
    end = max(bisect_right(cols.tops, cols.ends[index.col] - 1), index.col + 1)
    for row in range(min(first_row, index.row), index.row + 1):
        for col in range(max(first_col, among.start), min(end, among.stop)):
            if (row, col) < (index.row, index.col):
                yield BlockIndex(row, col)


def rectangles(units: Iterable[tuple[int, int]], max_units: int) -> Iterator[tuple[Span, Span]]:
    """Few rectangles of adjacent units, (row, col), that cover each once, of at most so many units."""
    open_: dict[Span, Span] = {}
    for cols, row in _runs(sorted(units), max_units):
        above = open_.pop(cols, None)
        if above is not None and above.stop == row and (above.size + 1) * cols.size <= max_units:
            open_[cols] = Span(above.start, row + 1)
            continue
        if above is not None:
            yield above, cols
        open_[cols] = Span(row, row + 1)
    yield from ((rows, cols) for cols, rows in open_.items())


def _runs(units: list[tuple[int, int]], max_units: int) -> Iterator[tuple[Span, int]]:
    """Adjacent units of one row, as (cols, row), cut into pieces of nearly equal length."""
    start = 0
    for i in range(1, len(units) + 1):
        if i < len(units) and units[i] == (units[i - 1][0], units[i - 1][1] + 1):
            continue
        (row, first), length = units[start], i - start
        pieces = -(-length // max(max_units, 1))
        for k in range(pieces):
            yield Span(first + k * length // pieces, first + (k + 1) * length // pieces), row
        start = i


def _worthwhile(layout: BlockGrid, unit: tuple[int, int]) -> Iterator[int]:
    """Numbers of swaths to choose from: first the most with which hardly anything is decoded twice, then more."""
    cols = layout.shape[1]
    numbers = sorted({-(-cols // wide) for wide in range(1, cols + 1)})
    good = [number for number in numbers if _decoded(layout, unit, number) <= AIM * layout.width]
    yield from (number for number in numbers if number >= max(good, default=1))


def _swaths(layout: BlockGrid, unit: tuple[int, int], swaths: int) -> list[int]:
    """What each swath reads across, px."""
    cols = extents_per_axis(layout, unit)[1]
    spans = map(layout.with_swaths(swaths).swath, range(swaths))
    return [cols.ends[span.stop - 1] - cols.tops[span.start] for span in spans]


@lru_cache(maxsize=4096)
def _decoded(layout: BlockGrid, unit: tuple[int, int], swaths: int) -> int:
    """Pixels across that all swaths read together; down the raster each is read once."""
    return sum(_swaths(layout, unit, swaths))


@lru_cache(maxsize=4096)
def _cached_pixels(layout: BlockGrid, unit: tuple[int, int], swaths: int, workers: int) -> int:
    """Pixels that are held at most: those that the row below reads again, and those between the blocks in flight."""
    rows, cols = extents_per_axis(layout, unit)
    across, narrowest = max(_swaths(layout, unit, swaths)), layout.shape[1] // swaths
    between = (workers + 1) * cols.shared if layout.shape[1] > swaths else 0
    if narrowest < workers or between >= across:
        return across * rows.span(1 + -(-(workers - 1) // narrowest)) if max(rows.shared, between) > 0 else 0
    return rows.shared * across + between * (rows.longest - rows.shared)


def window_of(unit: tuple[int, int], rows: Span, cols: Span, layout: BlockGrid) -> Window:
    """The pixels of a rectangle of units, inside the raster."""
    down, across = unit
    return Window.of(
        Span(rows.start * down, rows.stop * down).clip(layout.height),
        Span(cols.start * across, cols.stop * across).clip(layout.width),
    )
