"""Percentiles by order statistics, each found digit by digit of its sort key."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.statistics.counting import DIGIT_BITS, Counting, PlaneCounts
from pipeline.statistics.sort_keys import key_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentile:
    """Where a percentile lies among n sorted values: between two of them, as numpy's method ``linear`` has it."""

    lower: int
    """Place of the one below, from 0."""
    upper: int
    fraction: float
    """Of the way from the lower to the upper one."""

    @classmethod
    def of(cls, percent: float, count: int) -> Percentile:
        """The place of a percentage from 0 to 100."""
        place = (count - 1) * (percent / 100)
        lower = min(math.floor(place), count - 1)
        return cls(lower=lower, upper=min(lower + 1, count - 1), fraction=place - lower)

    def between(self, lower: float, upper: float) -> float:
        """Interpolated from the nearer end, as numpy does."""
        step = upper - lower
        return float(lower + step * self.fraction if self.fraction < 0.5 else upper - step * (1 - self.fraction))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSearch:
    """Places that are sought in each plane, and the leading bits that are known of the values there."""

    places: tuple[dict[int, tuple[int, int]], ...]
    """Of each plane, by the place among all of its values: leading bits, and the place among values that have them."""

    @classmethod
    def of(cls, counts: PlaneCounts, percents: tuple[float, float]) -> OrderSearch:
        """At the start nothing is known."""
        sought = [[Percentile.of(percent, int(count)) for percent in percents] for count in counts["count"]]
        return cls(
            places=tuple(
                {place: (0, place) for percentile in plane for place in (percentile.lower, percentile.upper)}
                for plane in sought
            )
        )

    def narrowed(self, counting: Counting, counts: PlaneCounts) -> OrderSearch:
        """With one digit more, by what a pass counted."""
        return replace(
            self,
            places=tuple(
                {place: _next_digit(prefix, counting, plane, counts) for place, prefix in sought.items()}
                for plane, sought in enumerate(self.places)
            ),
        )

    def next_counting(self, counting: Counting) -> Counting:
        """What the next pass counts."""
        prefixes = tuple(tuple(sorted({bits for bits, _ in sought.values()})) for sought in self.places)
        return replace(counting, shift=counting.shift - DIGIT_BITS, prefixes=prefixes)

    def percentile(self, plane: int, percent: float, count: int, dtype: np.dtype[Any]) -> float:
        """The value of a percentile, once all digits are known."""
        place = Percentile.of(percent, count)
        return place.between(*(key_value(self.places[plane][at][0], dtype) for at in (place.lower, place.upper)))


def _next_digit(prefix: tuple[int, int], counting: Counting, plane: int, counts: PlaneCounts) -> tuple[int, int]:
    bits, place = prefix
    row = counting.prefixes[plane].index(bits) if counting.prefixes else 0
    sums = np.cumsum(counts["bins"][plane, row])
    digit = int(np.searchsorted(sums, place, side="right"))
    return bits * counting.bins + digit, place - (int(sums[digit - 1]) if digit else 0)
