"""From passes over a raster to its numbers: which passes there are, and what follows from their counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.statistics.counting import DIGIT_BITS, Counting, PlaneCounts
from pipeline.statistics.order_statistics import OrderSearch
from pipeline.statistics.sort_keys import key_value

PAIRS = {"percentile": ("low", "high"), "minmax": ("low", "high"), "standardise": ("mean", "std")}
"""The two numbers that each method finds of each plane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The numbers that are asked for."""

    method: str
    """Key of `PAIRS`."""
    bands: int
    dtype: str
    """Of the values."""
    joint: bool = False
    """Whether all bands are one plane."""
    percents: tuple[float, float] = (0.0, 100.0)

    @property
    def planes(self) -> int:
        """Numbers of pairs."""
        return 1 if self.joint else self.bands

    @property
    def few_bits(self) -> bool:
        """Whether one pass counts every value that there is."""
        kind = np.dtype(self.dtype)
        return kind.kind in "iu" and 8 * kind.itemsize <= DIGIT_BITS

    @property
    def passes(self) -> int:
        """Passes over the pixels."""
        return -(-8 * np.dtype(self.dtype).itemsize // DIGIT_BITS) if self.method == "percentile" else 1

    def first_counting(self) -> Counting:
        """What the first pass counts."""
        if self.method == "percentile" or self.few_bits:
            bits = 8 * np.dtype(self.dtype).itemsize
            shift = max(bits - DIGIT_BITS, 0)
            return Counting(kind="bins", planes=self.planes, dtype=self.dtype, shift=shift)
        kind = "extremes" if self.method == "minmax" else "moments"
        return Counting(kind=kind, planes=self.planes, dtype=self.dtype)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class BandStatistics:
    """Numbers of a raster."""

    pixels: int
    """Valid pixels that they are of."""
    pairs: tuple[tuple[float, float], ...]
    """(low, high) or (mean, std) of each band, as `PAIRS` names them; none where no pixel is valid."""


def measure_bands(measure: Measure, count: Callable[[Counting], PlaneCounts]) -> BandStatistics:
    """The numbers of a raster.

    Parameters
    ----------
    measure
        What is asked for.
    count
        Passes once over the pixels and returns what it counted.
    """
    counting = measure.first_counting()
    counts = count(counting)
    values = int(counts["count"][0])
    pixels = values // measure.bands if measure.joint else values
    if not values:
        return BandStatistics(pixels=0, pairs=())
    if measure.method == "percentile":
        pairs = _percentiles(measure, counting, counts, count)
    else:
        pairs = [_pair(measure, counting, counts, plane) for plane in range(measure.planes)]
    return BandStatistics(pixels=pixels, pairs=tuple(pairs * (measure.bands if measure.joint else 1)))


def statistics_of(measure: Measure, values: npt.NDArray[Any]) -> BandStatistics:
    """The same of (bands, n) values in memory, each valid."""

    def count(counting: Counting) -> PlaneCounts:
        counts = counting.empty()
        for band, plane in enumerate(values):
            counting.add(counts, 0 if measure.joint else band, plane)
        return counts

    return measure_bands(measure, count)


def _percentiles(
    measure: Measure, counting: Counting, counts: PlaneCounts, count: Callable[[Counting], PlaneCounts]
) -> list[tuple[float, float]]:
    totals = counts["count"].tolist()
    search = OrderSearch.of(counts, measure.percents).narrowed(counting, counts)
    while counting.shift:
        counting = search.next_counting(counting)
        search = search.narrowed(counting, count(counting))
    low, high = measure.percents
    dtype = np.dtype(measure.dtype)
    return [
        (search.percentile(plane, low, total, dtype), search.percentile(plane, high, total, dtype))
        for plane, total in enumerate(totals)
    ]


def _pair(measure: Measure, counting: Counting, counts: PlaneCounts, plane: int) -> tuple[float, float]:
    if counting.kind == "extremes":
        return float(counts["low"][plane]), float(counts["high"][plane])
    if counting.kind == "moments":
        return float(counts["mean"][plane]), math.sqrt(counts["squares"][plane] / counts["count"][plane])
    (keys,) = np.nonzero(counts["bins"][plane, 0])
    values = [int(key_value(int(key), np.dtype(measure.dtype))) for key in keys]
    if measure.method == "minmax":
        return float(values[0]), float(values[-1])
    return _exact_moments(values, counts["bins"][plane, 0][keys].tolist())


def _exact_moments(values: list[int], counts: list[int]) -> tuple[float, float]:
    """Mean and population deviation in whole numbers, rounded once at the end."""
    total = sum(counts)
    first = sum(value * count for value, count in zip(values, counts, strict=True))
    second = sum(value * value * count for value, count in zip(values, counts, strict=True))
    return first / total, math.sqrt((total * second - first * first) / (total * total))
