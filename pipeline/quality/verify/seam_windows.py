"""Where tiles meet, and windows on such places and far from them; arithmetic alone.

With halos, tiles meet where their cores do, also at the borders of blocks; where tiles are blended, at the edges of
what each reads::

    |----core----|----core----|            |=====read=====|
                 ↑ line                           |=====read=====|
                                                  ↑ line  ↑ line
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.span import Span
from pipeline.geometry.tiling import HaloTiling, LatticeTiling
from pipeline.geometry.window import Window

NO_LINE_PX = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Where tiles of one block meet, px of the raster: line p lies between pixels p − 1 and p."""

    rows: tuple[int, ...]
    cols: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.rows or self.cols)

    def distance(self, window: Window) -> npt.NDArray[np.int64]:
        """(rows, cols) pixels between each pixel of a window and the nearest line; 0 beside it."""
        return np.minimum(_distance(window.rows, self.rows)[:, None], _distance(window.cols, self.cols)[None, :])


def seam_lines(layout: BlockGrid, index: BlockIndex, inside: Window) -> Lines:
    """The lines of a block of which a part is inferred."""
    block = layout.window(index)
    return Lines(
        rows=_axis_lines(layout.rows, layout.height, block.rows, inside.rows),
        cols=_axis_lines(layout.cols, layout.width, block.cols, inside.cols),
    )


def window_at_seam(lines: Lines, layout: BlockGrid, inside: Window, side: int, rng: Random) -> Window:
    """A window in whose middle tiles meet: along a line, or where two cross. There must be a line."""
    ways = [
        way
        for way, present in (("rows", lines.rows), ("cols", lines.cols), ("both", lines.rows and lines.cols))
        if present
    ]
    way = rng.choice(ways)
    row = rng.choice(lines.rows) if way != "cols" else rng.randrange(inside.rows.start, inside.rows.stop)
    col = rng.choice(lines.cols) if way != "rows" else rng.randrange(inside.cols.start, inside.cols.stop)
    return window_around(row, col, layout, side)


def window_around(row: int, col: int, layout: BlockGrid, side: int) -> Window:
    """A window with a pixel in its middle, moved inside the raster."""
    return Window.of(_span_around(row, side, layout.height), _span_around(col, side, layout.width))


def window_at_centre(lines: Lines, inside: Window, side: int, rng: Random) -> Window:
    """A window that keeps a quarter of the way from line to line away from them.

    Where they are close, it is smaller.
    """
    return Window.of(_middle(inside.rows, lines.rows, side, rng), _middle(inside.cols, lines.cols, side, rng))


def _axis_lines(axis: HaloTiling | LatticeTiling, length: int, block: Span, inside: Span) -> tuple[int, ...]:
    tiles = list(axis.tiles(block, inside))
    if isinstance(axis, LatticeTiling):
        edges = {edge for tile in tiles for edge in (tile.read.start, tile.read.stop)}
    else:
        edges = {tile.keep.start for tile in tiles[1:]} | {block.start, block.stop}
    return tuple(sorted(p for p in edges if 0 < p < length and block.start <= p <= block.stop))


def _distance(span: Span, lines: tuple[int, ...]) -> npt.NDArray[np.int64]:
    nearest, at = np.full(span.size, NO_LINE_PX, dtype=np.int64), np.arange(span.start, span.stop)
    for p in lines:
        nearest = np.minimum(nearest, np.where(at >= p, at - p, p - 1 - at))
    return nearest


def _span_around(centre: int, side: int, length: int) -> Span:
    start = min(max(centre - side // 2, 0), max(length - side, 0))
    return Span(start, min(start + side, length))


def _middle(inside: Span, lines: tuple[int, ...], side: int, rng: Random) -> Span:
    cuts = [inside.start, *(p for p in lines if inside.start < p < inside.stop), inside.stop]
    gaps = [Span(start, stop) for start, stop in pairwise(cuts)]
    widest = max(gap.size for gap in gaps)
    gap = rng.choice([gap for gap in gaps if 10 * gap.size >= 9 * widest])
    size = max(min(side, gap.size // 2), 1)
    start = rng.randint(gap.start + gap.size // 4, max(gap.stop - gap.size // 4 - size, gap.start + gap.size // 4))
    return Span(start, start + size)
