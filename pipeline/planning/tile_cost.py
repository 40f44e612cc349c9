"""What tiles cost in time: their arithmetic, what idles, and the memory that is laid out for them."""

from __future__ import annotations

import math

from pipeline.geometry.span import Span
from pipeline.geometry.tiling import HaloTiling
from pipeline.geometry.window import Window
from pipeline.models.cropping.plan import Cropping, CroppingCost
from pipeline.planning.candidates import is_oversized
from pipeline.planning.types import PlanRequest, TilePlan

LARGE_TILE_MIN_GAIN = 1.03
"""By what arithmetic must shrink for such tiles."""
MAX_UNEVEN_ROUNDS = 16
"""Rounds of tiles at once, from which it does not matter that the last of them is not full."""
THREAD_DOUBLING_LOSS = 0.1
"""What doubling the threads of a tile costs, as a share of its time: layers wait for the slowest of them, and some have
work for one only. Two were seen to
cost 0.07–0.12, four 0.1–0.35."""
WORK_PER_TOUCHED_BYTE = 20
"""Multiplications in the time that the first touch of a byte of memory takes, where the host of a virtual machine has
to find it."""
UNCOUNTED_BYTES = 2**28
"""Of them those that no tile is made smaller for."""
MAX_COUNTED_BLOCKS = 10_000
"""Blocks of an area that are counted to see how large it is."""


def tile_cost(request: PlanRequest, tiles: TilePlan, streams: int) -> tuple[float, int]:
    """What a candidate costs: time for arithmetic and for the memory that it takes.

    Among equals the larger block reads fewer pixels twice.
    """
    layout = tiles.layout()
    count = max(request.count(layout, MAX_UNEVEN_ROUNDS * streams), 1)
    idle = math.ceil(count / streams) * streams / count  # the last blocks leave some without
    threads = max(request.cores // streams, 1)
    left = cropping_cost(tiles, request.cropped)
    return round(
        layout.arithmetic_overhead()
        * left.work
        * idle
        * (1 + THREAD_DOUBLING_LOSS * math.log2(threads))
        * (LARGE_TILE_MIN_GAIN if is_oversized(request, tiles) else 1)
        + _memory_work(request, tiles, streams, left),
        2,
    ), -tiles.block


def _memory_work(request: PlanRequest, tiles: TilePlan, streams: int, left: CroppingCost) -> float:
    """What laying out the memory of tiles takes, as a share of the raster's arithmetic; 0 where that is unknown."""
    if request.cropped is None:
        return 0.0
    pixels = _requested_pixels(request, tiles)
    taken = streams * tiles.size**2 * request.costs.activations * left.memory
    return max(taken - UNCOUNTED_BYTES, 0) * WORK_PER_TOUCHED_BYTE / max(pixels * request.cropped.work_per_pixel, 1.0)


def _requested_pixels(request: PlanRequest, tiles: TilePlan) -> int:
    whole = request.height * request.width
    if request.area_blocks is None:
        return whole
    return min(request.count(tiles.layout(), MAX_COUNTED_BLOCKS) * tiles.block**2, whole)


def cropping_cost(tiles: TilePlan, cropped: Cropping | None) -> CroppingCost:
    """What cropping leaves of the largest tile, whose core has halos on all sides."""
    rows, cols = tiles.axis(0), tiles.axis(1)
    if cropped is None or not isinstance(rows, HaloTiling) or not isinstance(cols, HaloTiling):
        return CroppingCost(work=1.0, memory=1.0)
    height, width = min(tiles.size, rows.whole.size), min(tiles.size, cols.whole.size)
    return cropped.cost(height, width, Window.of(_core(tiles, height), _core(tiles, width)))


def _core(tiles: TilePlan, length: int) -> Span:
    """Of an axis of the largest tile; whole where the tile is."""
    assert tiles.halo is not None
    if length < tiles.size:
        return Span(0, length)
    start = min(tiles.halo, max((length - tiles.core) // 2, 0))
    return Span(start, min(start + tiles.core, length))
