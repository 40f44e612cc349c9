"""What an area costs: how much of the raster goes through the network and is read for it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import BlockIndex, Layout
from pipeline.geometry.read_sharing import Sharing, before
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window, bounds

if TYPE_CHECKING:
    from pipeline.sources.aoi.aoi import Area

LOOKED_AT = 256
"""Blocks that are looked at; where there are more, they stand for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Pixels of all blocks of a job; estimated where there are very many."""

    asked: int
    """Asked for."""
    network: float
    """Through the network, halos and overlap included."""
    read: float
    """Decoded from the file."""
    largest: int
    """Of the largest tile."""


@functools.lru_cache(maxsize=4)
def spent(area: Area, layout: Layout, count: int, source_block: tuple[int, int] = (1, 1), sharing: Sharing | None = None) -> Spent:
    """Add up what the blocks of an area need where every pixel is valid.

    Parameters
    ----------
    area
        What is asked for.
    layout
        Of the raster.
    count
        Blocks that touch the area.
    source_block
        (rows, cols) of the file's own blocks, px: what one read decodes at least.
    sharing
        What neighbouring blocks decode together; None where each reads for itself.
    """
    step = -(-count // LOOKED_AT)
    asked = network = read = seen = largest = 0
    parts = _Parts(area, layout)
    for index in islice(area.blocks(layout), 0, None, step):
        mask = area.read(layout.window(index))
        part, seen = parts.of(index), seen + 1
        if part is not None:
            asked += int(mask.sum())
            tiles = [tile.read.pixels for tile in layout.tiles(index, part, part)]
            network, largest = network + sum(tiles), max(largest, *tiles)
            read += parts.decoded(index, sharing.unit) if sharing and sharing.held else parts.frame(index, source_block).pixels
    share = count / seen
    return Spent(asked=round(asked * share), network=network * share, read=read * share, largest=largest)


class _Parts:
    """What the blocks of an area read, each looked at once while it may still be asked for."""

    def __init__(self, area: Area, layout: Layout) -> None:
        self._layout = layout
        self.of = functools.lru_cache(maxsize=LOOKED_AT)(lambda index: bounds(area.read(layout.window(index)), layout.window(index)))

    def frame(self, index: BlockIndex, unit: tuple[int, int]) -> Window:
        """What is decoded for a block that is read for itself; without pixels where nothing of it is asked for."""
        part = self.of(index)
        if part is None:
            return Window(row=0, col=0, height=0, width=0)
        frame = self._layout.frame(index, part).clip(self._layout.height, self._layout.width)
        return Window.of(frame.rows.align(unit[0]), frame.cols.align(unit[1])).clip(self._layout.height, self._layout.width)

    def decoded(self, index: BlockIndex, unit: tuple[int, int]) -> int:
        """Pixels that no block before it has decoded."""
        frame = self.frame(index, unit)
        new = np.ones((-(-frame.height // unit[0]), -(-frame.width // unit[1])), dtype=bool)
        for earlier in before(self._layout, unit, index):
            both = self.frame(earlier, unit).meet(frame)
            rows, cols = (slice((span.start - of.start) // side, -(-(span.stop - of.start) // side)) for span, of, side in (
                (both.rows, frame.rows, unit[0]), (both.cols, frame.cols, unit[1])))  # fmt: skip
            new[rows, cols] &= not both.pixels
        heights, widths = (_lengths(span, side) for span, side in ((frame.rows, unit[0]), (frame.cols, unit[1])))
        return int(heights @ new @ widths)


def _lengths(span: Span, unit: int) -> npt.NDArray[np.int64]:
    """Pixels of each unit of an aligned span."""
    cuts = np.append(np.arange(span.start, span.stop, unit), span.stop)
    return np.diff(cuts)
