"""Random fields of a slide, over a window of pixels or at single points, by the same formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window
from pipeline.sources.samples.noise import Field, smooth, smooth_at

PlaneArray = npt.NDArray[Any]


class Plane(Protocol):
    """Places on level 0, px; ``rows`` and ``cols`` broadcast to the shape of the fields."""

    @property
    def rows(self) -> PlaneArray:
        """Rows of the places."""

    @property
    def cols(self) -> PlaneArray:
        """Columns of the places."""

    def smooth(self, period: float, seed: int) -> Field:
        """A field of about −1…1 that varies over ``period`` px."""


@dataclass(frozen=True, slots=True)
class WindowPlane:
    """All pixels of a window."""

    window: Window

    @property
    def rows(self) -> PlaneArray:
        """(rows, 1)."""
        return np.arange(self.window.rows.start, self.window.rows.stop, dtype=np.float32)[:, None]

    @property
    def cols(self) -> PlaneArray:
        """(1, cols)."""
        return np.arange(self.window.cols.start, self.window.cols.stop, dtype=np.float32)[None, :]

    def smooth(self, period: float, seed: int) -> Field:
        """(rows, cols)."""
        return smooth(self.window, period, seed)


@dataclass(frozen=True, slots=True)
class PointPlane:
    """Some places."""

    rows: PlaneArray
    """(points,)."""
    cols: PlaneArray
    """(points,)."""

    def smooth(self, period: float, seed: int) -> Field:
        """(points,)."""
        return smooth_at(self.rows, self.cols, period, seed)


def octaves(plane: Plane, periods: tuple[float, ...], seed: int, roughness: float = 0.5) -> Field:
    """A sum of smooth fields, each finer and weaker than the one before, in about −1…1."""
    weights = [roughness**k for k in range(len(periods))]
    total = np.float32(weights[0]) * plane.smooth(periods[0], seed * 101)
    for k in range(1, len(periods)):
        total += np.float32(weights[k]) * plane.smooth(periods[k], seed * 101 + k)
    return np.asarray(total / np.float32(sum(weights)))
