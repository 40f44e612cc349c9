"""A bell of σ = T/8."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def weights(size: int) -> npt.NDArray[np.float32]:
    """exp(−½((i+½−T/2)/σ)²), σ = T/8, at pixel i of T, (size,) float32."""
    sigma = size / 8
    bell: npt.NDArray[np.float64] = np.exp(-0.5 * ((np.arange(size) + 0.5 - size / 2) / sigma) ** 2)
    return bell.astype(np.float32)
