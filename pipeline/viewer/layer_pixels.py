"""Pixels of a layer for one tile: from the store's overviews, or else of the blocks that are committed."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window
from pipeline.store.foreign_arrays import open_array
from pipeline.viewer.commits import Commits
from pipeline.viewer.scene import INSTANCES, StoreScene
from pipeline.viewer.small_layer import SmallLayer, small_level
from pipeline.viewer.tile_grid import MAX_READ_BYTES, TILE_PX, MapTile, enlarged


class LayerPixels:
    """Reads tiles of all layers of a scene. Safe from many threads."""

    def __init__(self, scene: StoreScene, commits: Commits) -> None:
        self.scene = scene
        self.commits = commits
        self._small: dict[tuple[str, int | None], SmallLayer] = {}
        self._lock = threading.Lock()

    def read(self, layer: str, tile: MapTile, channel: int | None = None) -> npt.NDArray[Any]:
        """(rows, cols) of a tile, at most 256 on a side, as they are stored; what is not committed is the fill value.

        Parameters
        ----------
        layer
            Of the scene.
        tile
            One that touches the raster.
        channel
            Along the layer's axis of classes or channels, where it has one.
        """
        window = tile.window(self.scene.grid)
        if self._has_level(layer, tile, window):
            array = open_array(self.scene.path, self.scene.key(layer, tile.level))
            return self._committed(layer, np.asarray(array[(*_plane(channel), *window.slices)]), window, tile)
        array = open_array(self.scene.path, self.scene.key(layer, 0))
        area = enlarged(window, tile.step, self.scene.grid)
        coarse = tile.level >= small_level(self.scene)
        if not coarse and area.pixels * array.dtype.itemsize <= MAX_READ_BYTES:
            samples = (slice(span.start, span.stop, tile.step) for span in (area.rows, area.cols))
            return self._committed(layer, np.asarray(array[(*_plane(channel), *samples)]), window, tile)
        return self._from_small(layer, window, tile, channel)

    @property
    def visited(self) -> int:
        """Blocks that the small layers hold, by which a page sees that there is more to show."""
        return sum(len(small.visited) for small in self._small.values())

    def _has_level(self, layer: str, tile: MapTile, window: Window) -> bool:
        if tile.level == 0:
            return True
        if layer == INSTANCES:
            return tile.level < self.scene.instance_levels
        return tile.level < self.scene.stored_levels and self.commits.has_overview(layer, tile.level, window)

    def _committed(self, layer: str, pixels: npt.NDArray[Any], window: Window, tile: MapTile) -> npt.NDArray[Any]:
        """Pixels of a tile, with the fill value where a block of the full resolution is not committed yet."""
        if self.scene.is_complete:
            return pixels
        shown = np.full_like(pixels, open_array(self.scene.path, self.scene.key(layer, 0)).fill_value)
        for _, block in self.commits.in_window(enlarged(window, tile.step, self.scene.grid)):
            rows, cols = (
                slice(max(-(-span.start // tile.step) - first, 0), max(-(-span.stop // tile.step) - first, 0))
                for span, first in ((block.rows, window.row), (block.cols, window.col))
            )
            shown[rows, cols] = pixels[rows, cols]
        return shown

    def _from_small(self, layer: str, window: Window, tile: MapTile, channel: int | None) -> npt.NDArray[Any]:
        """From the small layer: every 2ᵏ-th of its pixels, or each of them several times."""
        with self._lock:
            small = self._small.get((layer, channel)) or SmallLayer(self.scene, layer, channel)
            self._small[layer, channel] = small
        levels_up = tile.level - small.level
        factor = 2 ** abs(levels_up)
        limits = small.pixels.shape
        if levels_up >= 0:
            rows, cols = window.slices
            part = Window(
                row=rows.start * factor,
                col=cols.start * factor,
                height=window.height * factor,
                width=window.width * factor,
            ).clip(*limits)
            return small.read(part, self.commits)[::factor, ::factor]
        part = Window(
            row=window.row // factor, col=window.col // factor, height=TILE_PX // factor, width=TILE_PX // factor
        ).clip(*limits)
        return small.read(part, self.commits).repeat(factor, 0).repeat(factor, 1)[: window.height, : window.width]


def _plane(channel: int | None) -> Any:
    return () if channel is None else (channel,)
