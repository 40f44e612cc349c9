"""How the numbers of a network are stored: as floats, or as integers by a scale and an offset of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesSpec:
    """Channels of the layer of values, and what is stored of their numbers.

    An integer q of channel k stands for the number q · scale[k] + offset[k].
    """

    channels: tuple[str, ...] = ()
    """Name of each channel, in the network's order."""
    dtype: str = "float32"
    """float16, float32, int16 or int8."""
    scale: tuple[float, ...] = ()
    """What one step of each channel stands for; empty for floats, which are stored as they are."""
    offset: tuple[float, ...] = ()
    """What 0 stands for in each channel; empty for floats."""
    nodata: int | None = None
    """What invalid pixels hold, of integers; None for floats, of which they hold NaN."""

    @property
    def fill(self) -> float:
        """What is not written, and invalid pixels."""
        return nan if self.nodata is None else self.nodata

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest number of the dtype, as it is stored."""
        info = np.finfo(self.dtype) if self.nodata is None else np.iinfo(self.dtype)
        return float(info.min), float(info.max)

    @property
    def clips(self) -> bool:
        """Whether a float32 may lie beyond what is stored."""
        return self.dtype != "float32"

    @property
    def beside_nodata(self) -> int:
        """What a valid pixel gets whose number would be nodata: one step further, within the dtype. Of integers."""
        assert self.nodata is not None
        return self.nodata + 1 if self.nodata < self.limits[1] else self.nodata - 1

    def valid(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Where stored values, of any shape, are numbers."""
        return ~np.isnan(stored) if self.nodata is None else np.asarray(stored != self.nodata)

    def numbers(self, stored: npt.NDArray[Any], channel: int) -> npt.NDArray[np.float64]:
        """(rows, cols) stored values of a channel → the numbers that they stand for, NaN where there is none."""
        values = stored.astype(np.float64)
        if self.nodata is not None:
            values = np.where(stored == self.nodata, nan, values * self.scale[channel] + self.offset[channel])
        return values

    def range_of(self, channel: int) -> tuple[float, float]:
        """The smallest and the largest number that a channel holds."""
        low, high = self.limits
        if self.nodata is None:
            return low, high
        low, high = low + (self.nodata == low), high - (self.nodata == high)
        ends = [q * self.scale[channel] + self.offset[channel] for q in (low, high)]
        return min(ends), max(ends)
