"""What an area costs: how much of the raster goes through the network and is read for it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.read_sharing import ReadSharing, earlier_readers
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window, bounding_window

if TYPE_CHECKING:
    from pipeline.sources.only.area import RequestedArea

MAX_SAMPLED_BLOCKS = 256
"""Blocks that are looked at; where there are more, they stand for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AoiCost:
    """Pixels of all blocks of a job; estimated where there are very many."""

    requested: int
    """Asked for."""
    network: float
    """Through the network, halos and overlap included."""
    read: float
    """Decoded from the file."""
    largest: int
    """Of the largest tile."""


@functools.lru_cache(maxsize=4)
def cost_of_aoi(
    area: RequestedArea,
    layout: BlockGrid,
    count: int,
    source_block: tuple[int, int] = (1, 1),
    sharing: ReadSharing | None = None,
) -> AoiCost:
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
    step = -(-count // MAX_SAMPLED_BLOCKS)
    requested = network = read = sampled = largest = 0
    parts = _Parts(area, layout)
    for index in islice(area.blocks(layout), 0, None, step):
        mask = area.read(layout.window(index))
        part, sampled = parts.requested_window(index), sampled + 1
        if part is not None:
            requested += int(mask.sum())
            tiles = [tile.read.pixels for tile in layout.tiles(index, part, part)]
            network, largest = network + sum(tiles), max(largest, *tiles)
            read += (
                parts.decoded(index, sharing.unit)
                if sharing and sharing.cached_bytes
                else parts.frame(index, source_block).pixels
            )
    share = count / sampled
    return AoiCost(requested=round(requested * share), network=network * share, read=read * share, largest=largest)


class _Parts:
    """What the blocks of an area read, each looked at once while it may still be asked for."""

    def __init__(self, area: RequestedArea, layout: BlockGrid) -> None:
        self._layout = layout
        self.requested_window = functools.lru_cache(maxsize=MAX_SAMPLED_BLOCKS)(
            lambda index: bounding_window(area.read(layout.window(index)), layout.window(index))
        )

    def frame(self, index: BlockIndex, unit: tuple[int, int]) -> Window:
        """What is decoded for a block that is read for itself; without pixels where nothing of it is asked for."""
        part = self.requested_window(index)
        if part is None:
            return Window(row=0, col=0, height=0, width=0)
        frame = self._layout.read_window(index, part).clip(self._layout.height, self._layout.width)
        return Window.of(frame.rows.align(unit[0]), frame.cols.align(unit[1])).clip(
            self._layout.height, self._layout.width
        )

    def decoded(self, index: BlockIndex, unit: tuple[int, int]) -> int:
        """Pixels that no block before it has decoded."""
        frame = self.frame(index, unit)
        new = np.ones((-(-frame.height // unit[0]), -(-frame.width // unit[1])), dtype=bool)
        for earlier in earlier_readers(self._layout, unit, index):
            overlap = self.frame(earlier, unit).intersect(frame)
            rows, cols = (
                slice((span.start - outer.start) // side, -(-(span.stop - outer.start) // side))
                for span, outer, side in ((overlap.rows, frame.rows, unit[0]), (overlap.cols, frame.cols, unit[1]))
            )
            new[rows, cols] &= not overlap.pixels
        heights, widths = (_lengths(span, side) for span, side in ((frame.rows, unit[0]), (frame.cols, unit[1])))
        return int(heights @ new @ widths)


def _lengths(span: Span, unit: int) -> npt.NDArray[np.int64]:
    """Pixels of each unit of an aligned span."""
    cuts = np.append(np.arange(span.start, span.stop, unit), span.stop)
    return np.diff(cuts)
