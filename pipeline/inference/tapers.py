"""Blend weights over a tile, by name: each taper is one function and its row in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pipeline.config.families import TAPER_KINDS

Taper = Callable[[int], npt.NDArray[np.float32]]
"""Tile size in px → weights (size,), positive."""


def flat(size: int) -> npt.NDArray[np.float32]:
    """Ones: every pixel counts alike, (size,) float32."""
    return np.ones(size, dtype=np.float32)


def linear(size: int) -> npt.NDArray[np.float32]:
    """A triangle: 1 − |2(i+½)/T − 1| at pixel i of T, (size,) float32."""
    return (1 - np.abs(2 * (np.arange(size) + 0.5) / size - 1)).astype(np.float32)


def hann(size: int) -> npt.NDArray[np.float32]:
    """A squared sine: sin²(π(i+½)/T) at pixel i of T, (size,) float32."""
    return (np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2).astype(np.float32)


def gaussian(size: int) -> npt.NDArray[np.float32]:
    """A bell: exp(−½((i+½−T/2)/σ)²), σ = T/8, at pixel i of T, (size,) float32."""
    sigma = size / 8
    bell: npt.NDArray[np.float64] = np.exp(-0.5 * ((np.arange(size) + 0.5 - size / 2) / sigma) ** 2)
    return bell.astype(np.float32)


KINDS: dict[str, Taper] = {"flat": flat, "linear": linear, "hann": hann, "gaussian": gaussian}
TAPER_KINDS.register(KINDS)
