"""Planes along a dimension become one: their largest pixels, or their mean.

A pixel is made of its valid planes alone, and exactly: sums of integers are integers, and a mean of integers is rounded
half up to their dtype. It depends on its own planes only, so that windows equal the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.sources.validity.band_causes import CauseCodes

Projection = Literal["max", "mean"]
PROJECTIONS: tuple[Projection, ...] = ("max", "mean")
"""What `source.select` may ask of a dimension in place of one of its places."""
PartIndex = tuple[slice, slice, slice]
"""Bands, rows and columns of a part."""
_HALF = 32
"""Bits of each half of an integer of 64 bits: sums of halves do not overflow."""


def fold_bytes(dtype: np.dtype[Any]) -> int:
    """Bytes that a fold takes for a pixel of one band: sums, counts and causes, and while they become the result."""
    return 6 * 8 + 2 * dtype.itemsize + 8


class PlaneFold:
    """Planes of one shape, added one by one. The order of the planes is that of the dimension."""

    def __init__(
        self, projection: Projection, shape: tuple[int, ...], dtype: np.dtype[Any], rule: Literal["all", "any"]
    ) -> None:
        """Begin with no plane; ``shape`` is (bands, rows, cols), and ``rule`` as of `joined`, of planes."""
        self._fold = _Largest(shape, dtype) if projection == "max" else _mean(shape, dtype)
        self._rule, self._dtype = rule, dtype
        self._valid = np.zeros(shape, np.int32)
        self._causes = np.zeros(shape, np.uint8)

    def add(self, numbers: npt.NDArray[Any], codes: Sequence[CauseCodes | None], where: PartIndex) -> None:
        """Add a part of a plane.

        Parameters
        ----------
        numbers
            (bands, rows, cols).
        codes
            (rows, cols) codes of `CAUSES` of each band; None where all of it is valid.
        where
            The place of the part.
        """
        if all(entry is None for entry in codes):
            self._valid[where] += 1
            self._fold.add(numbers, where, True)
            return
        marks = np.stack([np.zeros(numbers.shape[1:], np.uint8) if entry is None else entry for entry in codes])
        valid, causes = marks == 0, self._causes[where]
        self._valid[where] += valid
        self._causes[where] = np.where(causes == 0, marks, causes)
        self._fold.add(numbers, where, valid)

    def result(self) -> tuple[npt.NDArray[Any], list[CauseCodes | None]]:
        """(bands, rows, cols) in the dtype of the planes, 0 where invalid, and codes of each band as they were added.

        By the rule ``all``, a pixel is invalid where all its planes are; by ``any``, where one is.
        """
        valid = (self._valid > 0) if self._rule == "all" else (self._causes == 0)
        with np.errstate(over="ignore"):  # a mean of float64 may be beyond float32, which makes it invalid
            data = self._fold.result(np.maximum(self._valid, 1)).astype(self._dtype, copy=False)
        if valid.all():
            return data, [None] * len(data)
        data[~valid] = 0
        return data, list(np.where(valid, np.uint8(0), self._causes))


class _Largest:
    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._largest = np.full(shape, -np.inf if dtype.kind == "f" else np.iinfo(dtype).min, dtype)

    def add(self, numbers: npt.NDArray[Any], where: PartIndex, valid: Any) -> None:
        part = self._largest[where]
        np.maximum(part, numbers, out=part, where=valid)

    def result(self, counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return self._largest


class _MeanOfFloats:
    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape, np.float64)

    def add(self, numbers: npt.NDArray[Any], where: PartIndex, valid: Any) -> None:
        part = self._sum[where]
        np.add(part, numbers, out=part, where=valid)

    def result(self, counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(self._sum / counts)


class _MeanOfIntegers:
    """Sums of int64, which hold 2³¹ planes of 32 bits."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape, np.int64)

    def add(self, numbers: npt.NDArray[Any], where: PartIndex, valid: Any) -> None:
        part = self._sum[where]
        np.add(part, numbers, out=part, where=valid)

    def result(self, counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return _rounded(self._sum, counts.astype(np.int64))


class _MeanOfLongIntegers:
    """The same of 64 bits, in two halves: x = high · 2³² + low."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._high, self._low, self._dtype = np.zeros(shape, np.int64), np.zeros(shape, np.int64), dtype

    def add(self, numbers: npt.NDArray[Any], where: PartIndex, valid: Any) -> None:
        bits = numbers.dtype.type
        halves = numbers >> bits(_HALF), numbers & bits(2**_HALF - 1)
        for total, half in zip((self._high[where], self._low[where]), halves, strict=True):
            np.add(total, half.astype(np.int64), out=total, where=valid)

    def result(self, counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        planes = counts.astype(np.int64)
        whole, rest = np.divmod(self._high, planes)
        fraction = _rounded((rest << _HALF) + self._low, planes)
        return np.asarray((whole.astype(self._dtype) << self._dtype.type(_HALF)) + fraction.astype(self._dtype))


def _rounded(total: npt.NDArray[np.int64], planes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A quotient, rounded half up."""
    return (2 * total + planes) // (2 * planes)


def _mean(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return _MeanOfFloats(shape)
    return _MeanOfIntegers(shape) if dtype.itemsize < 8 else _MeanOfLongIntegers(shape, dtype)
