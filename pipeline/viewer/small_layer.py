"""A whole layer at a coarse level, put together of its committed blocks where the store has no overviews yet."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window
from pipeline.store.foreign_arrays import open_array
from pipeline.store.ledger import BlockPosition
from pipeline.viewer.commits import Commits
from pipeline.viewer.scene import StoreScene

SMALL_SIDE_PX = 4096
"""Longest side of a small layer, px."""
SECONDS_PER_LOOK = 1.0
"""Time that one request spends on blocks that are new; the next request goes on."""


class SmallLayer:
    """One plane of a layer, each pixel of which is one of the full resolution. Safe from many threads."""

    def __init__(self, scene: StoreScene, layer: str, channel: int | None) -> None:
        self.scene = scene
        self.array = open_array(scene.path, scene.key(layer, 0))
        self.channel = channel
        self.level = small_level(scene)
        grid = scene.grid.level(self.level)
        self.pixels: npt.NDArray[Any] = np.full((grid.height, grid.width), self.array.fill_value, self.array.dtype)
        self.visited: set[BlockPosition] = set()
        self._lock = threading.Lock()

    def read(self, window: Window, commits: Commits) -> npt.NDArray[Any]:
        """(rows, cols) of a window at the small layer's own level, with the blocks in it that are committed."""
        step = 2**self.level
        around = Window(
            row=window.row * step, col=window.col * step, height=window.height * step, width=window.width * step
        )
        with self._lock:
            end = time.monotonic() + SECONDS_PER_LOOK
            for block, pixels in commits.in_window(around.clip(self.scene.grid.height, self.scene.grid.width)):
                if block not in self.visited and time.monotonic() < end:
                    self._visit(block, pixels, step)
            return self.pixels[window.slices]

    def _visit(self, block: BlockPosition, window: Window, step: int) -> None:
        rows, cols = (slice(-(-span.start // step), -(-span.stop // step)) for span in (window.rows, window.cols))
        plane = () if self.channel is None else (self.channel,)
        samples = (slice(cut.start * step, span.stop, step) for cut, span in ((rows, window.rows), (cols, window.cols)))
        self.pixels[rows, cols] = self.array[(*plane, *samples)]
        self.visited.add(block)


def small_level(scene: StoreScene) -> int:
    """The finest level at which all of a layer fits `SMALL_SIDE_PX`."""
    level, side = 0, max(scene.grid.height, scene.grid.width)
    while side > SMALL_SIDE_PX:
        level, side = level + 1, -(-side // 2)
    return level
