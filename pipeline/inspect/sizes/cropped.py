"""Unpadded networks of one input size, such as one that was traced.

What they leave off, seen by a few passes at that size.

Two images that overlap say the same wherever both are answered, since nothing of an unpadded answer feels the image's
ends::

    |..|ooooooooooo|..|          one image
       |..|ooooooooooo|..|       another, a period further on: the o that lie above each other must be the same
"""

from __future__ import annotations

import torch

from pipeline.geometry.margin import Margin, Trim
from pipeline.geometry.span import round_down
from pipeline.inspect.locality.probe import IMAGE_AXES, Prober, slice_axis
from pipeline.inspect.locality.stride import SMALL_PERIODS, equal_to_rounding
from pipeline.inspect.sizes import sides


def one_size_margin(prober: Prober, size: int) -> Margin | None:
    """The margin of a network that takes images of ``size`` px only and returns less.

    None where it returns a map of a stride, or one that follows no shift.
    """
    rows, cols = prober.run(prober.noise(size, size), sides.returned).shape[1:]
    if (rows, cols) == (size, size) or max(rows, cols) > size:
        return None
    period = _period(prober, size, min(rows, cols))
    if period is None:
        return None
    row_trim, col_trim = (
        Trim(before=0, after=size - left, least=size, step=period, tile=size) for left in (rows, cols)
    )
    return sides.split_margin(prober, Margin(rows=row_trim, cols=col_trim)).in_one_size(period)


def _period(prober: Prober, size: int, returned: int) -> int | None:
    """The smallest shift, px, with which the answer moves, all of it and also by many times that.

    At most half of it, so that a whole period is compared.
    """
    for step in (step for step in SMALL_PERIODS if 2 * step <= returned):
        far = max(round_down(returned // 2, step), step)
        if (
            _answer_follows(prober, size, step)
            and _nans_follow(prober, size, step, returned)
            and _answer_follows(prober, size, far)
        ):
            return step
    return None


def _answer_follows(prober: Prober, size: int, shift: int) -> bool:
    """Whether a shifted image gives a shifted answer."""
    first, repeated, shifted = _shifted_answers(prober, prober.noise(size + shift, size + shift), size, shift)
    return equal_to_rounding(repeated, shifted, first)


def _nans_follow(prober: Prober, size: int, shift: int, returned: int) -> bool:
    """Whether NaNs behind cuts along both axes come back as far shifted, some of them felt in a part of the answer.

    Values of deep signals may be too faint.
    """
    felt = False
    for cut in (size // 2, *(size - part * returned // 4 for part in (1, 2, 3))):
        image = prober.noise(size + shift, size + shift)
        for axis in IMAGE_AXES:
            slice_axis(image, axis, cut, size + shift).fill_(torch.nan)
        _, repeated, shifted = (answer.isnan() for answer in _shifted_answers(prober, image, size, shift))
        if not torch.equal(repeated, shifted):
            return False
        felt |= bool(repeated.any()) and not bool(repeated.all())
    return felt


def _shifted_answers(
    prober: Prober, image: torch.Tensor, size: int, shift: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The answer to an image, what of it the answer to the shifted one repeats, and that."""
    first, second = (
        prober.run(image[..., start : start + size, start : start + size], sides.returned) for start in (0, shift)
    )
    return first, first[:, shift:, shift:], second[:, :-shift, :-shift]
