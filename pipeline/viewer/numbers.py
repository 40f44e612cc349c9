"""Layers of numbers: which stored values are valid, what they stand for, and between which limits they are drawn."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.store.foreign_arrays import open_array
from pipeline.store.layers import ENTROPY_ONE
from pipeline.store.picture import percentile_range
from pipeline.viewer.layer_pixels import LayerPixels
from pipeline.viewer.scene import StoreScene
from pipeline.viewer.tile_grid import MapTile, tile_levels

FloatPixels = npt.NDArray[np.float64]


class LayerNumbers:
    """What the numbers of all layers of a scene mean. Safe from many threads."""

    def __init__(self, scene: StoreScene, pixels: LayerPixels) -> None:
        self.scene = scene
        self.pixels = pixels
        self._limits: dict[tuple[str, int | None], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def numbers(self, layer: str, stored: npt.NDArray[Any], channel: int | None = None) -> FloatPixels:
        """What stored values stand for, in the same shape; NaN where there is no number."""
        values = self.scene.level.values
        if layer == "values" and values is not None:
            return values.numbers(stored, channel or 0)
        fill = open_array(self.scene.path, self.scene.key(layer, 0)).fill_value
        numbers = stored.astype(np.float64)
        if stored.dtype.kind == "u":
            numbers[stored == fill] = np.nan
            numbers /= ENTROPY_ONE if layer == "entropy" else np.iinfo(stored.dtype).max
        return numbers

    def limits(self, layer: str, channel: int | None = None) -> tuple[float, float]:
        """The numbers at the ends of the ramp.

        0 and 1 of layers that are shares of 1; else percentiles of the coarsest tile, found once for a complete store.
        """
        if layer not in ("values", "variance"):
            return 0.0, 1.0
        with self._lock:
            limits = self._limits.get((layer, channel)) or self._measured(layer, channel)
            if self.scene.is_complete:
                self._limits[layer, channel] = limits
            return limits

    def shares(self, layer: str, stored: npt.NDArray[Any], channel: int | None = None) -> FloatPixels:
        """FloatPixels as places on the ramp, from 0 to 1 within the limits."""
        low, high = self.limits(layer, channel)
        return (self.numbers(layer, stored, channel) - low) / ((high - low) or 1.0)

    def _measured(self, layer: str, channel: int | None) -> tuple[float, float]:
        stored = self.pixels.read(layer, MapTile(level=tile_levels(self.scene.grid), row=0, col=0), channel)
        numbers = self.numbers(layer, stored, channel)
        return percentile_range(numbers[np.isfinite(numbers)])
