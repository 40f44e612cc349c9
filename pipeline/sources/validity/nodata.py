"""The values that mean nothing, band by band."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from rasterio.io import DatasetReader

Number = int | float
ZARR_NODATA_KEYS = ("_FillValue", "missing_value", "nodata")
"""Attributes by which an array of Zarr says its nodata; its fill value alone says what a missing chunk holds."""
ULPS = 4
"""Units in the last place within which GDAL takes a float for its nodata, since files hold it as text
(ARE_REAL_EQUAL)."""
LARGE_NODATA = 1e38
"""Floats beyond it are nobody's data: writers round them in many ways."""
LARGE_NODATA_TOLERANCE = 0.01
"""Share by which such a nodata may be off: −3.4e38 stands for −3.4028235e38."""


@dataclass(frozen=True, slots=True)
class Nodata:
    """Values that mean nothing."""

    low: Any
    high: Any

    def marks(self, band: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """(rows, cols) where a band holds one of them."""
        return np.asarray(band == self.low if self.low == self.high else (band >= self.low) & (band <= self.high))


def declared(dataset: DatasetReader, band: int, setting: Literal["auto"] | Number | None) -> tuple[Number, ...]:
    """The nodata of a band: what the config gives, else the file's own.

    Parameters
    ----------
    dataset
        An open raster.
    band
        Counted from 1.
    setting
        ``source.nodata``.
    """
    if setting is None:
        return ()
    if setting != "auto":
        return (setting,)
    if dataset.driver == "Zarr":
        return attributes(dataset)
    value = dataset.nodatavals[band - 1]
    return () if value is None else (value,)


def attributes(dataset: DatasetReader) -> tuple[Number, ...]:
    """Nodata by the attributes of an array of Zarr."""
    tags = dataset.tags()
    return tuple(number for name in ZARR_NODATA_KEYS if name in tags for number in _numbers(tags[name]))


def nodata_interval(value: Number, dtype: np.dtype[Any]) -> Nodata | None:
    """A nodata in the dtype of its band; None where the dtype has no such value, and NaN, which is invalid anyway."""
    if math.isnan(value):
        return None
    if dtype.kind in "iu":
        whole = (
            math.isfinite(value) and value == int(value) and np.iinfo(dtype).min <= int(value) <= np.iinfo(dtype).max
        )
        return Nodata(dtype.type(int(value)), dtype.type(int(value))) if whole else None
    with np.errstate(over="ignore"):
        return Nodata(*(dtype.type(bound) for bound in _tolerance_interval(float(value), dtype)))


def _tolerance_interval(value: float, dtype: np.dtype[Any]) -> tuple[float, float]:
    if abs(value) >= LARGE_NODATA:
        near = value * (1 - LARGE_NODATA_TOLERANCE)
        return (-math.inf, near) if value < 0 else (near, math.inf)
    slack = abs(value) * float(np.finfo(dtype).eps) * ULPS
    return value - slack, value + slack


def impossible_values(values: Sequence[Number], dtype: np.dtype[Any]) -> list[Number]:
    """Nodata that no pixel of a dtype can have."""
    return [value for value in values if dtype.kind in "iu" and nodata_interval(value, dtype) is None]


def _numbers(text: str) -> list[Number]:
    """Numbers of an attribute, a list of them or a text; whatever is none is left out."""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = text.strip("{}").split(",")  # so GDAL writes lists of numbers
    numbers = []
    for value in parsed if isinstance(parsed, list) else [parsed]:
        try:
            numbers.append(value if isinstance(value, int | float) else float(value))
        except (TypeError, ValueError):
            continue
    return numbers
