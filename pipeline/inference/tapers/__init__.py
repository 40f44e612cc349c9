"""Blend weights over a tile, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pipeline.inference.tapers import flat, gaussian, hann, linear

Taper = Callable[[int], npt.NDArray[np.float32]]
"""Tile size in px → weights (size,), positive."""

KINDS: dict[str, Taper] = {
    "flat": flat.weights,
    "linear": linear.weights,
    "hann": hann.weights,
    "gaussian": gaussian.weights,
}
