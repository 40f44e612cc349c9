"""What values a scene has, from a few windows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError, SourceError
from pipeline.geometry.window import Window
from pipeline.inference.normalise import pooled
from pipeline.interfaces import Source

_Array = npt.NDArray[np.float64]
_SIDE = 256
"""Height and width of a sampled window, px."""
_ACROSS = 4
"""Windows along each axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Values of the valid pixels that were sampled."""

    share: float
    """Valid pixels of those looked at."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """One per band; none where no pixel is valid."""


def sample(source: Source) -> Values:
    """Look at windows on a lattice over the scene.

    Raises
    ------
    SourceError
        One of them cannot be read.
    """
    windows = lattice(source.grid.height, source.grid.width)
    try:
        # one window in memory at a time
        parts = [part for window in windows if (part := _moments(source, window)) is not None]
    except ReadError as error:
        raise SourceError(f"{str(error).rstrip('.')}. Mend the file, or give another SCENE.") from error
    share = sum(part[0] for part in parts) / sum(window.pixels for window in windows)
    if not parts:
        return Values(share=share, low=(), high=(), mean=(), std=())
    counts = np.array([part[0] for part in parts])
    low, high, means, variances = (np.stack([part[k] for part in parts]) for k in range(1, 5))
    mean, std = pooled(counts, means, variances)
    return Values(share=share, low=_tuple(low.min(0)), high=_tuple(high.max(0)), mean=_tuple(mean), std=_tuple(std))


def _moments(source: Source, window: Window) -> tuple[int, _Array, _Array, _Array, _Array] | None:
    """Number of valid pixels, and their least, greatest, mean and variance per band; None where there is none."""
    pixels = source.read(window)
    valid = pixels.data[:, pixels.valid].astype(np.float64)
    return (valid.shape[1], valid.min(1), valid.max(1), valid.mean(1), valid.var(1)) if valid.shape[1] else None


def guess_normalisation(dtype: np.dtype[Any], values: Values) -> tuple[dict[str, Any], str]:
    """A normalisation that networks are often trained with on such values, and why; a guess."""
    if not values.low:
        return {}, "no valid pixel was seen in the scene, so nothing is known of its values"
    top = max(values.high)
    if dtype == np.uint8:
        return {"scale": 1 / 255}, "8-bit values are usually brought to 0…1"
    if dtype.kind in "iu" and 1000 < top <= 20000:
        return {"scale": 1e-4}, "such integers are usually reflectances times 10,000"
    if dtype.kind == "f" and min(values.low) >= -2 and top <= 2:
        return {}, "the values are small already"
    return {
        "mean": [_short(v) for v in values.mean],
        "std": [_short(v) or 1.0 for v in values.std],
    }, "the scene's own mean and deviation"


def lattice(height: int, width: int) -> list[Window]:
    """Windows that do not overlap, so that no pixel counts twice."""
    return [
        Window(row=row, col=col, height=min(_SIDE, height - row), width=min(_SIDE, width - col))
        for row in _starts(height)
        for col in _starts(width)
    ]


def _starts(length: int) -> list[int]:
    if length <= _SIDE * _ACROSS:
        return list(range(0, length, _SIDE))
    return [(length - _SIDE) * k // (_ACROSS - 1) for k in range(_ACROSS)]


def _tuple(values: _Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _short(value: float) -> float:
    return float(f"{value:.4g}")
