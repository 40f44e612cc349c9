"""Blocks of a store that are committed, listed now and then while a run is at work."""

from __future__ import annotations

import threading
import time

from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.store.files import files_at
from pipeline.store.foreign_arrays import open_array
from pipeline.store.ledger import BlockPosition, Ledger
from pipeline.store.lifecycle import main_layer_of
from pipeline.store.spec import overview_block
from pipeline.viewer.scene import SECONDS_BETWEEN_LOOKS, StoreScene

LOOK_SHARE = 10
"""Times as long as a listing takes, until the next one: on object storage a listing is many requests."""


class Commits:
    """The committed blocks of a scene. Safe from many threads."""

    def __init__(self, scene: StoreScene) -> None:
        self.scene = scene
        self._blocks: frozenset[BlockPosition] = frozenset()
        self._next_look = 0.0
        self._lock = threading.Lock()

    def blocks(self) -> frozenset[BlockPosition]:
        """Blocks of the full resolution, as of a moment ago."""
        with self._lock:
            if time.monotonic() >= self._next_look:
                start = time.monotonic()
                self._blocks = frozenset(Ledger(self.scene.path).committed())
                seconds = time.monotonic() - start
                self._next_look = start + seconds + max(SECONDS_BETWEEN_LOOKS, LOOK_SHARE * seconds)
            return self._blocks

    def in_window(self, window: Window) -> list[tuple[BlockPosition, Window]]:
        """Committed blocks that a window of the full resolution touches, each with its pixels."""
        blocks, side = self.blocks(), self.scene.level.block
        touched = (
            (row, col)
            for row in range(window.row // side, -(-window.rows.stop // side))
            for col in range(window.col // side, -(-window.cols.stop // side))
        )
        return [(block, self._window(block)) for block in touched if block in blocks]

    def has_overview(self, layer: str, level: int, window: Window) -> bool:
        """Whether a window of an overview, no larger than a tile, is committed."""
        if self.scene.is_complete:
            return True
        array = open_array(self.scene.path, self.scene.key(layer, level))
        side = overview_block((array.shards or array.chunks)[-1])
        files = files_at(self.scene.path)
        record_layer = "cleaned" if layer == "cleaned" else main_layer_of(self.scene.path)
        ledger = Ledger(self.scene.path, level, record_layer)
        return files.exists(ledger.place((window.row // side, window.col // side)))

    def _window(self, block: BlockPosition) -> Window:
        side, grid = self.scene.level.block, self.scene.grid
        rows, cols = (Span(index * side, (index + 1) * side) for index in block)
        return Window.of(rows, cols).clip(grid.height, grid.width)
