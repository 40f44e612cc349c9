"""Numbers that mean no classes: what a run computed of them against its reference, and against what is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.quality.verify.logit_differences import TIES, Bools, ComparisonWindow, Logits, WindowErrors, logit_std
from pipeline.store.values import ValuesSpec

SMALLEST_SHARE = 1 / 16
"""Of its root mean square, to which the spread of a channel counts at the least: one that hardly varies about a large
mean is rounded by its size."""


@dataclass(slots=True)
class ChannelErrors:
    """Windows against their references, each channel by its own spread: channels may have unlike units."""

    seams: list[WindowErrors] = field(default_factory=list)
    """Of each channel, as all of this."""
    control: list[WindowErrors] = field(default_factory=list)

    def add(self, view: ComparisonWindow, reference: Logits) -> None:
        """Count one window of which something is wanted; (channels, rows, cols) of its reference."""
        assert view.logits is not None
        if not self.seams:
            self.seams, self.control = ([WindowErrors() for _ in reference] for _ in range(2))
        valid = ~np.isnan(view.logits[0])
        for k, errors in enumerate(self.seams if view.is_at_seam else self.control):
            channel = ComparisonWindow(view.window, view.is_at_seam, view.logits[k : k + 1])
            channel.near = view.near
            same_labels = np.zeros(valid.shape, dtype=bool)
            errors.add(channel, reference[k : k + 1], same_labels, variance=spread(reference[k][valid]) ** 2)

    def worst(self) -> int:
        """The channel whose error is the largest, in its own spread: at seams, then far from them."""
        shares = [
            (seams.largest / logit_std(seams, control), control.largest / logit_std(seams, control))
            for seams, control in zip(self.seams, self.control, strict=True)
        ]
        return max(range(len(shares)), key=shares.__getitem__)


def spread(numbers: npt.NDArray[Any]) -> float:
    """Standard deviation of (n,) numbers of a channel, and no less than `SMALLEST_SHARE` of their root mean square."""
    values = numbers.astype(np.float64)
    if not values.size:
        return 0.0
    return max(float(values.std()), SMALLEST_SHARE * float(np.sqrt(np.mean(values**2))))


def differing_values(
    stored: npt.NDArray[Any], expected: npt.NDArray[Any], valid: Bools, spec: ValuesSpec, precision: str
) -> Bools:
    """(rows, cols) where what is stored is further from what it should be than rounding explains.

    Rounding is that of the network, in the spread of each channel, and one step of the dtype.

    Parameters
    ----------
    stored, expected
        (channels, rows, cols) of the dtype of the layer.
    valid
        (rows, cols) of the pixels that hold numbers; all others must hold none.
    spec
        What is stored.
    precision
        In which the network computed.
    """
    wrong = np.zeros(valid.shape, dtype=bool)
    for actual, plane in zip(stored, expected, strict=True):
        numbers = plane[valid].astype(np.float64)
        step = 1.0 if spec.nodata is not None else float(np.finfo(spec.dtype).eps) * np.abs(numbers)
        known = spec.valid(actual)
        wrong |= known != valid
        distance = np.abs(actual[valid].astype(np.float64) - numbers)
        wrong[valid] |= distance > TIES[precision] * spread(plane[valid]) + step
    return wrong
