"""What one pass counts of each plane, strip by strip, and how the counts of cells are added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.statistics.sort_keys import sort_keys

PlaneCounts = dict[str, npt.NDArray[Any]]
"""Arrays by name, with the planes first."""
DIGIT_BITS = 16
"""Bits of sort keys that a pass counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What one pass counts. Small, and pickles.

    ``bins`` counts values by a digit of their sort keys, ``extremes`` keeps the smallest and the largest, ``moments``
    mean and squared deviations. Each also counts values.
    """

    kind: Literal["bins", "extremes", "moments"]
    planes: int
    dtype: str
    """Of the values."""
    shift: int = 0
    """Bits of sort keys below the digit."""
    prefixes: tuple[tuple[int, ...], ...] = ()
    """Of each plane, the bits above the digit of keys that are counted; empty where all are."""

    @property
    def bins(self) -> int:
        """Values of a digit."""
        return 1 << min(DIGIT_BITS, 8 * np.dtype(self.dtype).itemsize)

    @property
    def counts_bytes(self) -> int:
        """Bytes of all arrays of such counts."""
        return sum(array.nbytes for array in self.empty().values())

    def empty(self) -> PlaneCounts:
        """Counts of no pixel."""
        count = np.zeros(self.planes, np.int64)
        if self.kind == "bins":
            depth = max((len(prefixes) for prefixes in self.prefixes), default=1)
            return {"count": count, "bins": np.zeros((self.planes, depth, self.bins), np.int64)}
        if self.kind == "extremes":
            none = np.zeros(self.planes, self.dtype)
            return {"count": count, "low": none, "high": none.copy()}
        return {"count": count, "mean": np.zeros(self.planes), "squares": np.zeros(self.planes)}

    def add(self, counts: PlaneCounts, plane: int, values: npt.NDArray[Any]) -> None:
        """Count (n,) values of a plane into counts."""
        if not values.size:
            return
        if self.kind == "bins":
            counts["count"][plane] += values.size
            self._add_bins(counts["bins"][plane], plane, values)
            return
        part = {name: array[:1].copy() for name, array in self.empty().items()}
        part["count"][0] = values.size
        if self.kind == "extremes":
            part["low"][0], part["high"][0] = values.min(), values.max()
        else:
            numbers = values.astype(np.float64)
            part["mean"][0] = numbers.mean()
            numbers -= part["mean"][0]
            part["squares"][0] = np.square(numbers, out=numbers).sum()
        self._merge_plane({name: array[plane : plane + 1] for name, array in counts.items()}, part)

    def merge(self, counts: PlaneCounts, other: PlaneCounts) -> None:
        """Add other counts to some, plane by plane."""
        if self.kind == "bins":
            for name in ("count", "bins"):
                counts[name] += other[name]
            return
        for plane in range(self.planes):
            self._merge_plane(
                *({name: array[plane : plane + 1] for name, array in part.items()} for part in (counts, other))
            )

    def matches(self, counts: PlaneCounts) -> bool:
        """Whether arrays have the names, shapes and dtypes of such counts."""
        return {name: (array.shape, array.dtype) for name, array in counts.items()} == {
            name: (array.shape, array.dtype) for name, array in self.empty().items()
        }

    def _add_bins(self, bins: npt.NDArray[np.int64], plane: int, values: npt.NDArray[Any]) -> None:
        keys = sort_keys(values)
        if not self.prefixes:
            bins[0] += _counts(keys >> keys.dtype.type(self.shift) if self.shift else keys, self.bins)
            return
        above, bits = keys >> keys.dtype.type(self.shift + DIGIT_BITS), keys.dtype.type(2**DIGIT_BITS - 1)
        for place, prefix in enumerate(self.prefixes[plane]):
            chosen = keys[above == keys.dtype.type(prefix)]
            bins[place] += _counts(chosen >> keys.dtype.type(self.shift) & bits, self.bins)

    def _merge_plane(self, counts: PlaneCounts, other: PlaneCounts) -> None:
        """Of one plane each: the arrays of the first are changed in place."""
        if not other["count"][0]:
            return
        if not counts["count"][0]:
            for name, array in other.items():
                counts[name][:] = array
            return
        if self.kind == "extremes":
            np.minimum(counts["low"], other["low"], out=counts["low"])
            np.maximum(counts["high"], other["high"], out=counts["high"])
        else:
            _merge_moments(counts, other)
        counts["count"] += other["count"]


def _merge_moments(counts: PlaneCounts, other: PlaneCounts) -> None:
    """Chan, Golub and LeVeque, *Updating formulae and a pairwise algorithm* (1979), formula 2.1."""
    first, second = int(counts["count"][0]), int(other["count"][0])
    total = first + second
    delta = other["mean"] - counts["mean"]
    counts["mean"] += delta * (second / total)
    counts["squares"] += other["squares"] + np.square(delta) * (first * (second / total))


def _counts(digits: npt.NDArray[Any], bins: int) -> npt.NDArray[np.int64]:
    """How often each digit occurs. By torch, which lets other threads run meanwhile."""
    import torch

    numbers = digits if digits.dtype == np.uint8 else digits.astype(np.int32)
    return np.asarray(torch.bincount(torch.from_numpy(np.ascontiguousarray(numbers)), minlength=bins).numpy())
