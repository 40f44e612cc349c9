"""A triangle."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def weights(size: int) -> npt.NDArray[np.float32]:
    """1 − |2(i+½)/T − 1| at pixel i of T, (size,) float32."""
    return (1 - np.abs(2 * (np.arange(size) + 0.5) / size - 1)).astype(np.float32)
