"""What the numbers of a product stand for, and how they become what ``source.radiometry`` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Radiometry = Literal["raw", "harmonised", "reflectance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Reflectance of a band is ``gain · raw + bias``."""

    gain: float
    bias: float
    offset: int = 0
    """That a product adds to its raw integers before they are scaled: ``bias = gain · offset``."""

    def convert(self, raw: npt.NDArray[Any], radiometry: Radiometry) -> npt.NDArray[Any]:
        """(rows, cols) of raw numbers as they are asked for.

        Harmonised numbers have the offset taken in, in the same dtype: at least 1, and 0 where they were 0. Reflectance
        is float32.
        """
        if radiometry == "reflectance":
            return (raw * self.gain + self.bias).astype(np.float32)
        if radiometry == "raw" or not self.offset:
            return raw
        limit = np.iinfo(raw.dtype).max
        shifted = np.clip(raw.astype(np.int64) + self.offset, 1, limit)
        return np.where(raw == 0, 0, shifted).astype(raw.dtype)
