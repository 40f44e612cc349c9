"""Ceiling: reading the raster with all cores, a handle per thread.

Windows are whole blocks of the file, each read once.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import rasterio
from rasterio.windows import Window

from benchmarks.performance.child import cores, serve

ABOUT = 1024
"""Side of the windows, px, as near as whole blocks come."""
WINDOW_PX = 2**21
"""Pixels of a window at the most, where blocks are as wide as the raster."""


def measure(orders: dict[str, Any]) -> dict[str, Any]:
    """Seconds that the whole raster takes; its bytes are in the page cache."""
    Path(orders["raster"]).read_bytes()
    with rasterio.open(orders["raster"]) as src:
        windows = aligned(src.height, src.width, src.block_shapes[0])
        pixels = src.height * src.width
    mine = threading.local()

    def read(window: Window) -> None:
        if not hasattr(mine, "handle"):
            mine.handle = rasterio.open(orders["raster"])
        mine.handle.read(window=window)

    start = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(read, windows))
    seconds = time.perf_counter() - start
    return {"mpx_per_s": pixels / seconds / 1e6, "seconds": seconds, "threads": cores()}


def aligned(height: int, width: int, block: tuple[int, int]) -> list[Window]:
    """Windows of whole blocks that cover the raster once."""
    rows, cols = block
    wide = min(max(ABOUT // cols, 1) * cols, width)
    high = max(min(ABOUT, WINDOW_PX // wide) // rows, 1) * rows
    starts = product(range(0, height, high), range(0, width, wide))
    return [Window(col, row, min(wide, width - col), min(high, height - row)) for row, col in starts]


if __name__ == "__main__":
    serve(measure)
