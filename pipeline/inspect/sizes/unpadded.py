"""Unpadded networks: which sizes they take and what they leave off, found by trying sizes one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import torch

from pipeline.errors import PlanError
from pipeline.geometry.margin import Margin, Trim
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.sizes import sides
from pipeline.models.answer import SIDES
from pipeline.models.output import require_scores

SPAN = 33
"""Sizes in a row that are tried: strides up to 32 show their period."""
Size = tuple[int, int]
"""(rows, cols), px."""


def unpadded_margin(prober: Prober) -> Margin | None:
    """The margin of a network that returns less than it is given, or None.

    A network whose answer is smaller by a whole factor is none, since that is a stride which is restored; nor is one
    that leaves pixels off by no rule. Rows and columns are looked at apart, and so are both sides of each.
    """
    (size, _), returned = next(_answers(prober, map(_square, SIDES)), ((0, 0), (0, 0)))
    if (
        returned in ((0, 0), (size, size))
        or max(returned) > size
        or any(_shrinks(prober, size, axis, left) for axis, left in enumerate(returned))
    ):
        return None
    answers = list(_answers(prober, map(_square, range(size, size + 2 * SPAN))))
    rows, cols = (_trim({given[axis]: given[axis] - left[axis] for given, left in answers}) for axis in (0, 1))
    if rows is None or cols is None or not rows.after + cols.after:
        return None
    first = rows.least, cols.least
    rows = replace(rows, least=_smallest(prober, ((n, first[1]) for n in _smaller(rows)))[0])
    cols = replace(cols, least=_smallest(prober, ((first[0], n) for n in _smaller(cols)))[1])
    return sides.split_margin(prober, Margin(rows=rows, cols=cols))


def _square(side: int) -> Size:
    return side, side


def _trim(trimmed: dict[int, int]) -> Trim | None:
    """The sizes of an axis at which least is left off, and that, all of it behind.

    None where those sizes have no step, or more is returned than given.
    """
    off = min(trimmed.values())
    sizes = [size for size, left_off in trimmed.items() if left_off == off]
    steps = {upper - lower for lower, upper in pairwise(sizes)}
    return Trim(before=0, after=off, least=sizes[0], step=steps.pop()) if off >= 0 and len(steps) == 1 else None


def _smaller(trim: Trim) -> range:
    """Sizes by the same rule, from the smallest that leaves a pixel over."""
    minimum, step = trim.least, trim.step
    return range(minimum - (minimum - trim.after - 1) // step * step, minimum + 1, step)


def _answers(prober: Prober, sizes: Iterable[Size]) -> Iterator[tuple[Size, Size]]:
    """Sizes that the network takes, and those that it returns."""
    network = prober.network
    for size in sizes:
        try:
            with torch.inference_mode():
                image = torch.zeros((network.accepts.batch or 1, prober.bands, *size), device=prober.device)
                if prober.room is not None and network.graph is None:
                    prober.room.admit(network, image)
                rows, cols = require_scores(network.module(image), network.key).shape[2:]
                yield size, (rows, cols)
        except PlanError:
            raise
        except Exception:  # noqa: S112  # whatever its layers raise, it does not take this size
            continue


def _shrinks(prober: Prober, size: int, axis: int, left: int) -> bool:
    """Whether an axis comes back smaller by a whole factor, also of an image of twice the size."""
    if left in (0, size) or size % left:
        return False
    return next((returned[axis] == 2 * left for _, returned in _answers(prober, [_square(2 * size)])), False)


def _smallest(prober: Prober, sizes: Iterable[Size]) -> Size:
    """The first of some sizes that the network takes; the last was seen to be."""
    candidates = list(sizes)
    return next((size for size, _ in _answers(prober, candidates)), candidates[-1])
