"""No taper: every pixel counts alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def weights(size: int) -> npt.NDArray[np.float32]:
    """Ones, (size,) float32."""
    return np.ones(size, dtype=np.float32)
