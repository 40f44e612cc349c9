"""What an area costs: how much of the raster goes through the network and is read for it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.plan.layout import Layout
from pipeline.raster.span import Span
from pipeline.raster.window import Window, bounds

if TYPE_CHECKING:
    from pipeline.area.area import Area

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


@functools.lru_cache(maxsize=4)
def spent(area: Area, layout: Layout, count: int, source_block: tuple[int, int] = (1, 1)) -> Spent:
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
    """
    step = -(-count // LOOKED_AT)
    asked = network = read = seen = 0
    for index in islice(area.blocks(layout), 0, None, step):
        window = layout.window(index)
        mask = area.read(window)
        part, seen = bounds(mask, window), seen + 1
        if part is not None:
            asked += int(mask.sum())
            network += sum(tile.read.pixels for tile in layout.tiles(index, part, part))
            read += _decoded(layout.frame(index, part), layout, source_block)
    share = count / seen
    return Spent(asked=round(asked * share), network=network * share, read=read * share)


def _decoded(frame: Window, layout: Layout, unit: tuple[int, int]) -> int:
    return _axis(frame.rows, layout.height, unit[0]) * _axis(frame.cols, layout.width, unit[1])


def _axis(span: Span, length: int, unit: int) -> int:
    return min(span.clip(length).align(unit).size, length)
