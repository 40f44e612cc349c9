"""How varied places of a raster are: the mean over all bands of the deviation within a window, in deviations of all.

Places with invalid pixels count as much less as they have of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.inference.normalise import pooled
from pipeline.interfaces import Pixels
from pipeline.sources.overview import Overview

_Floats = npt.NDArray[np.float64]
EXTREMES = (0.1, 99.9)
"""Percentiles that numbers of an overview are clipped to: a hot pixel is no variety."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Valid pixels of one window."""

    share: float
    count: int
    mean: _Floats
    """(bands,)."""
    variance: _Floats
    """(bands,)."""


def overview_variety(overview: Overview, height: int, width: int) -> _Floats:
    """(rows, cols) variety of every window of so many px of the overview, at its first pixel."""
    counts = _window_sums(overview.valid.astype(np.float64), height, width)
    total, counted = np.zeros_like(counts), np.maximum(counts, 1)
    for band in overview.data:
        standard = np.where(overview.valid, _standardised(band, overview.valid), 0)
        mean = _window_sums(standard, height, width) / counted
        variance = _window_sums(standard**2, height, width) / counted - mean**2
        total += np.sqrt(np.maximum(variance, 0))
    return np.asarray(total / len(overview.data) * counts / (height * width))


def moments(pixels: Pixels) -> Moments:
    """Mean and variance of the valid pixels of a window; of none where none is valid."""
    values = pixels.data[:, pixels.valid].astype(np.float64)
    empty = np.zeros(len(values))
    return Moments(
        share=float(pixels.valid.mean()),
        count=values.shape[1],
        mean=values.mean(1) if values.size else empty,
        variance=values.var(1) if values.size else empty,
    )


def place_variety(places: Sequence[Moments]) -> list[float]:
    """Variety of each of some windows."""
    counted = [place for place in places if place.count]
    if not counted:
        return [0.0] * len(places)
    _, deviation = pooled(
        np.array([place.count for place in counted]),
        np.stack([place.mean for place in counted]),
        np.stack([place.variance for place in counted]),
    )
    scale = np.where(deviation > 0, deviation, 1)
    return [float((np.sqrt(place.variance) / scale).mean()) * place.share for place in places]


def _standardised(band: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]) -> _Floats:
    values = band[valid]
    if not values.size:
        return np.zeros(band.shape)
    low, high = np.percentile(values, EXTREMES)
    clipped = np.clip(band.astype(np.float64), low, high)
    deviation = clipped[valid].std()
    return np.asarray((clipped - clipped[valid].mean()) / (deviation or 1.0))


def _window_sums(plane: _Floats, height: int, width: int) -> _Floats:
    """(rows − height + 1, cols − width + 1) sums of windows, by the table of sums of all corners."""
    sums = np.pad(plane.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return np.asarray(sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width])
