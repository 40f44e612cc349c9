"""Unpadded networks: which sizes they take and what they leave off, found by trying sizes one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch

from pipeline.errors import PlanError
from pipeline.locality.probe import Prober
from pipeline.models.answer import SIDES
from pipeline.models.output import checked
from pipeline.protocols import Margin

SPAN = 33
"""Sizes in a row that are tried: strides up to 32 show their period."""


def margin(prober: Prober) -> Margin | None:
    """The margin of a network that returns less than it is given, or None.

    A network whose answer is smaller by a whole factor is none, since that is a stride which is restored; nor is one that leaves pixels off by no rule. What
    is left off is taken to be as much on each side, as crops do that centre their maps.
    """
    size, left = next(_answers(prober, SIDES), (0, 0))
    if not size or left == size or left > size or (size % left == 0 and _shrinks(prober, size, left)):
        return None
    lost = {side: side - returned for side, returned in _answers(prober, range(size, size + 2 * SPAN))}
    least = min(lost.values())
    if least <= 0:
        return None
    sides = [side for side, off in lost.items() if off == least]
    steps = {later - earlier for earlier, later in pairwise(sides)}
    if len(steps) != 1:
        return None
    step = steps.pop()
    first = sides[0] - (sides[0] - least - 1) // step * step  # the smallest that leaves a pixel over, by the same rule
    return Margin(before=least // 2, after=least - least // 2, least=_smallest(prober, range(first, sides[0] + 1, step)), step=step)


def _answers(prober: Prober, sizes: tuple[int, ...] | range) -> Iterator[tuple[int, int]]:
    """Sizes that the network takes, and those that it returns."""
    network = prober.network
    for size in sizes:
        try:
            with torch.inference_mode():
                image = torch.zeros((network.accepts.batch or 1, prober.bands, size, size), device=prober.device)
                if prober.room is not None and network.graph is None:
                    prober.room.admit(network, image)
                yield size, checked(network.module(image), network.key).shape[2]
        except PlanError:
            raise
        except Exception:  # noqa: S112  # whatever its layers raise, it does not take this size
            continue


def _shrinks(prober: Prober, size: int, left: int) -> bool:
    """Whether an image of twice the size has an answer of twice the size."""
    return next(_answers(prober, (2 * size,)), (0, 0))[1] == 2 * left


def _smallest(prober: Prober, sizes: range) -> int:
    return next(_answers(prober, sizes), (sizes[-1], 0))[0]
