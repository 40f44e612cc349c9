"""The halo profile: how much a cut is felt, by the distance from it, on the user's own pixels.

A window goes through the network whole, then without what lies beyond an aligned cut, as a tile would see it. The
difference at distance d is the error of a pixel that has a halo of d::

    |..........|ooooooooooo|      whole
               |ooooooooooo|      what lies beyond the cut is gone: the network's own padding acts there
               |~~~~~~oooooo      the error falls with the distance; a halo leaves what is to the right of it

The radius is a bound; trained networks feel much less (Luo et al. 2016).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.inspect.locality.probe import IMAGE_AXES, Axis, slice_axis
from pipeline.interfaces import Network

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HaloProfile:
    """Errors by distance from a cut, (reach,): entry d is of pixels d px away, d = 0 beside the cut."""

    largest: Floats
    """Largest error of any logit, in standard deviations of the logits."""
    typical: Floats
    """Root mean square of the error, likewise."""
    flipped: Floats
    """Share of labels that differ."""
    std: float
    """Standard deviation of the logits."""
    windows: int
    """Places that were looked at."""
    valid: float
    """Share of valid pixels in them."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, from which `of` makes it again; infinities as JSON of Python has them."""
        lists = {name: getattr(self, name).tolist() for name in ("largest", "typical", "flipped")}
        return {**lists, "std": self.std, "windows": self.windows, "valid": self.valid}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> HaloProfile:
        """The profile of plain values; raises KeyError or TypeError where one is missing or another's."""
        arrays = {name: np.asarray(values[name], dtype=np.float64) for name in ("largest", "typical", "flipped")}
        return cls(**arrays, std=float(values["std"]), windows=int(values["windows"]), valid=float(values["valid"]))

    def error(self, halo: int) -> float:
        """Largest error that a halo of so many px leaves; NaN where the profile does not reach as far."""
        return float(self.largest[halo:].max()) if halo < len(self.largest) else float("nan")

    def differing(self, halo: int, core: int) -> float:
        """Share of labels that differ in cores of so many px, cut off on all four sides."""
        return min(1.0, float(4 / core * self.flipped[halo:].sum()))

    def halo_for(self, tolerance: float, multiple: int) -> int | None:
        """The smallest halo, px, that leaves no error above the tolerance; None where none that was measured does."""
        exceeding = np.nonzero(self.largest > tolerance)[0]
        halo = -(-(int(exceeding[-1]) + 1) // multiple) * multiple if len(exceeding) else 0
        return halo if halo < len(self.largest) else None


def measure_halo_profile(
    network: Network, windows: Iterable[tuple[torch.Tensor, npt.NDArray[np.bool_]]], cut: int
) -> HaloProfile:
    """Measure a profile.

    Parameters
    ----------
    network
        In eval mode.
    windows
        Normalised pixels (1, bands, side, side) with their validity (side, side); each side is at least twice ``cut``.
    cut
        Distance of the cut from each of the four edges, px: a multiple of the stride.

    Raises
    ------
    ValueError
        There is no window.
    """
    sums = _Sums()
    for x, valid in windows:
        whole = network(x)[0]
        sums.add_window(whole, valid)
        for axis in IMAGE_AXES:
            for mirrored in (False, True):
                sums.add(*_errors(network, x, whole, valid, axis, mirrored, cut))
    return sums.profile()


def _errors(
    network: Network,
    x: torch.Tensor,
    whole: torch.Tensor,
    valid: npt.NDArray[np.bool_],
    axis: Axis,
    mirrored: bool,
    cut: int,
) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Errors and flips with distance from the cut along the first axis, and which of them are valid.

    Each is (distance, across).
    """
    length = x.shape[2 if axis == "rows" else 3]
    start, stop = (0, length - cut) if mirrored else (cut, length)
    tile, reference = network(slice_axis(x, axis, start, stop))[0], slice_axis(whole, axis, start, stop)
    error = (tile - reference).abs().amax(0)
    flipped = tile.argmax(0) != reference.argmax(0) if len(tile) > 1 else (tile[0] > 0) != (reference[0] > 0)
    tile_valid = slice_axis(torch.from_numpy(valid), axis, start, stop)
    arrays = (array if axis == "rows" else array.T for array in (error.cpu(), flipped.cpu(), tile_valid))
    errors, flips, usable = (np.asarray(array)[::-1] if mirrored else np.asarray(array) for array in arrays)
    return errors.astype(np.float64), flips, usable


class _Sums:
    """Errors of many cuts, by distance."""

    def __init__(self) -> None:
        self.parts: list[tuple[Floats, Floats, Floats, Floats]] = []
        self.variance: list[float] = []
        self.valid: list[float] = []

    def add_window(self, logits: torch.Tensor, valid: npt.NDArray[np.bool_]) -> None:
        self.variance.append(float(logits.var()))
        self.valid.append(float(valid.mean()))

    def add(self, error: Floats, flipped: npt.NDArray[np.bool_], valid: npt.NDArray[np.bool_]) -> None:
        valid_errors = np.where(valid, error, 0.0)
        self.parts.append(
            (
                valid_errors.max(1),
                (valid_errors**2).sum(1),
                (flipped & valid).sum(1).astype(np.float64),
                valid.sum(1).astype(np.float64),
            )
        )

    def profile(self) -> HaloProfile:
        if not self.parts:
            raise ValueError("a profile needs at least one window")
        reach = min(len(part[0]) for part in self.parts)
        largest, squares, flips, counts = (np.stack([part[k][:reach] for part in self.parts]) for k in range(4))
        std, valid_counts = max(float(np.mean(self.variance)) ** 0.5, 1e-30), np.maximum(counts.sum(0), 1)
        return HaloProfile(
            largest=_fill_gaps(largest.max(0), counts.sum(0)) / std,
            typical=np.sqrt(squares.sum(0) / valid_counts) / std,
            flipped=flips.sum(0) / valid_counts,
            std=std,
            windows=len(self.variance),
            valid=float(np.mean(self.valid)),
        )


def _fill_gaps(largest: Floats, counts: Floats) -> Floats:
    """At distances where no pixel counted, the error of the last nearer one where some did.

    Infinity where there is none.
    """
    errors = np.where(counts > 0, largest, np.nan)
    last = np.maximum.accumulate(np.where(counts > 0, np.arange(len(counts)), -1))
    return np.asarray(np.where(last >= 0, errors[last], np.inf))
