"""A squared sine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def weights(size: int) -> npt.NDArray[np.float32]:
    """sin²(π(i+½)/T) at pixel i of T, (size,) float32."""
    return (np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2).astype(np.float32)
