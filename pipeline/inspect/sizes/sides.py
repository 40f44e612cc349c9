"""What an unpadded network leaves off above and below, on the left and on the right.

Seen by where a cut through the image comes back.

All that lies on one side of the cut is set to NaN, or to other random numbers where that changes nothing; the pixels
that change are those that look there::

    |..............|xxxxxxxxxxxxxx|      what is given, other behind the cut
       |oooooooo|~~~~~~~~~~~~~|          what comes back: changed from the first ~ on, as what is other before the cut
       changes all up to some other pixel

The cut lies in the middle between both, on average over the phases of the stride, and that tells how much is left off
before it. Most networks leave off as much behind as before: then a cut and its mirror image say so, and no other phase
is looked at.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import torch

from pipeline.geometry.margin import Margin, Trim
from pipeline.inspect.locality.probe import IMAGE_AXES, Axis, Prober, slice_axis
from pipeline.interfaces import Network
from pipeline.models.output import require_scores

GROWN = (3, 6, 12)
"""How many times what is left off an image is long: the cut must not be felt at its ends."""
SCALE = 1e3
"""Standard deviations of the draw beyond a cut, where NaN changes nothing."""


def split_margin(prober: Prober, margin: Margin) -> Margin:
    """The same margin with what is left off shared between both sides of each axis; evenly where it cannot be seen."""
    rows, cols = (_shared(prober, axis, margin) for axis in IMAGE_AXES)
    return Margin(rows=rows, cols=cols)


def _shared(prober: Prober, axis: Axis, margin: Margin) -> Trim:
    trim, other = (margin.rows, margin.cols) if axis == "rows" else (margin.cols, margin.rows)
    off = trim.before + trim.after
    if not off:
        return trim
    lengths = (
        [trim.accepted_size(times * off + 4 * trim.step) for times in GROWN] if trim.tile is None else [trim.least]
    )
    measured = (
        _leading(_Cuts(prober, axis, prober.strip(axis, length, other.least)), length, off, trim.step)
        for length in lengths
    )
    leading = next((px for px in measured if px is not None), off // 2)
    leading = min(max(leading, 0), off)
    return replace(trim, before=leading, after=off - leading)


def _leading(cuts: _Cuts, length: int, off: int, step: int) -> int | None:
    """Px that are left off before the first that is returned; None where a cut is felt at the ends of the image."""
    middle = length // 2
    mirrored = [cuts.twice(cut) + cuts.twice(length - cut) for cut in {middle, middle + step // 2}]
    if all(twice == 2 * off for twice in mirrored):
        return off // 2
    leading = (
        statistics.fmean(cuts.twice(middle + phase) for phase in range(step)) / 2
        if all(map(math.isfinite, mirrored))
        else math.nan
    )
    # the smaller of two whole numbers that are as near
    return math.ceil(leading - 0.5) if math.isfinite(leading) else None


class _Cuts:
    """One image, cut at several places along an axis."""

    def __init__(self, prober: Prober, axis: Axis, image: torch.Tensor) -> None:
        self._prober, self._axis, self._image = prober, axis, image
        self._answer = prober.run(image, returned)

    def twice(self, cut: int) -> float:
        """Twice the px between a cut and where it comes back; NaN where that is at an end of the image."""
        behind, front = self._changed(cut, self._image.shape[2 if self._axis == "rows" else 3]), self._changed(0, cut)
        if not (behind and front) or behind[0] == 0 or front[-1] == behind[-1]:
            return math.nan
        return 2 * cut - behind[0] - front[-1] - 1

    def _changed(self, start: int, stop: int) -> list[int]:
        """Places along the axis of what comes back that change where a part of the image is other."""
        answer, axis = self._answer, self._axis
        for scale in (torch.nan, SCALE):  # a network may swallow NaNs
            other = self._image.clone()
            part = slice_axis(other, axis, start, stop)
            part.copy_(scale * torch.randn(part.shape, generator=torch.Generator().manual_seed(2)).to(part.device))
            # NaN differs from everything
            changed = (self._prober.run(other, returned) != answer).any(0).any(1 if axis == "rows" else 0)
            if changed.any():
                return [int(at) for at in changed.nonzero().flatten()]
        return []


def returned(network: Network, x: torch.Tensor) -> torch.Tensor:
    """What a network returns, unpadded as it is."""
    x = x.expand(network.accepts.batch or 1, -1, -1, -1)
    return require_scores(network.module(x), network.key)
