"""The stride: the smallest shift that a network commutes with, among the sizes it takes."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

import torch

from pipeline.errors import PlanError
from pipeline.geometry.span import round_down, round_up
from pipeline.inspect.locality.probe import FIRST_STRIP_LENGTH, IMAGE_AXES, Axis, Prober, slice_axis

USUAL_PERIODS = (64, 96, 80, 112, 120, 72, 88, 104, 128, 256)
"""Periods tried first; every stride up to 16 divides one of them."""
SMALL_PERIODS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64)
"""Periods tried, from below, where the network's largest size has no room for the others."""
TIMES = (1, 2, 3, 4, 6, 8, 16, 32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 576, 640, 768, 896, 1024)
"""Units that a side is tried with, from below."""
LENGTHS = (FIRST_STRIP_LENGTH, 2 * FIRST_STRIP_LENGTH, 4 * FIRST_STRIP_LENGTH)
"""Lengths of the strip, px: its middle third must not feel the ends."""
UNUSUAL = 256
"""Largest stride that is looked for among those that divide none of the above."""
TIGHT = 2e-5
"""Rounding, relative to the largest logit."""


def find_stride(prober: Prober) -> int | None:
    """The smallest shift period, px, or None where there is none up to 256."""
    if prober.has_small_maximum:
        step = prober.network.accepts.multiple
        return next((n for n in SMALL_PERIODS if n % step == 0 and _is_period(prober, n, LENGTHS[:1])), None)
    units = _usual(prober)
    unit = next((unit for unit in units if _is_period(prober, unit, LENGTHS[:1])), None)
    if unit is None:
        # a radius above a third of the first length, or sizes that only an unusual stride divides
        unit = next(
            (
                unit
                for unit in dict.fromkeys((units[0], accepted_unit(prober)))
                if unit and _is_period(prober, unit, LENGTHS[1:])
            ),
            None,
        )
    return None if unit is None else _structural(prober, _reduce(unit, lambda n: _is_period(prober, n, LENGTHS)), unit)


def holds(prober: Prober, n: int) -> bool:
    """Whether a network commutes with shifts by ``n`` px, and its NaNs do."""
    return _is_period(prober, n, LENGTHS) and _is_period(prober, n, LENGTHS, fill=torch.nan)


def _structural(prober: Prober, n: int, unit: int) -> int:
    """The smallest period from ``n`` up that NaNs keep as well.

    Where deep signals are faint, values alone would tell too small a one.
    """
    periods = (m for m in range(n, unit + 1, n) if unit % m == 0 and _is_period(prober, m, LENGTHS, fill=torch.nan))
    return next(periods, n)  # upsampling by three rounds, and its NaNs have no period


def multiple(prober: Prober) -> int:
    """The smallest number of which sizes must be multiples; for networks without a stride."""
    if prober.has_small_maximum:
        return prober.network.accepts.multiple if not prober.fixed else 1
    unit = accepted_unit(prober)
    return 1 if unit is None else _reduce(unit, lambda n: _takes_multiples(prober, n))


def size_unit(prober: Prober, size: int, step: int) -> int:
    """The smallest number of which a size, px, and the steps from it that a network takes are multiples.

    For one that takes no large sizes.
    """
    return _reduce(
        gcd(size, step),
        lambda n: prober.takes(prober.noise(size + n, size)) and prober.takes(prober.noise(size, size + n)),
    )


def side(prober: Prober, unit: int) -> int | None:
    """The smallest side ≥ 1 unit that the network takes across a strip, px."""
    if prober.fixed:
        return prober.fixed
    sizes = dict.fromkeys(prober.size(k * unit, unit) for k in TIMES if k * unit <= FIRST_STRIP_LENGTH or k == 1)
    return next((size for size in sizes if prober.takes(prober.noise(size, size))), None)


def _usual(prober: Prober) -> tuple[int, ...]:
    """Periods worth trying first, all of them multiples of what the file says."""
    step = prober.network.accepts.multiple
    return tuple(unit for unit in USUAL_PERIODS if unit % step == 0) or (step,)


def accepted_unit(prober: Prober) -> int | None:
    """A number whose multiples the network takes as sizes: a usual one, or else the smallest."""
    usual = next((unit for unit in _usual(prober) if _takes_multiples(prober, unit)), None)
    if usual is not None:
        return usual
    return next(
        (n for n in range(1, UNUSUAL + 1) if all(prober.takes(prober.noise(k * n, k * n)) for k in (1, 2, 3))), None
    )


def _takes_multiples(prober: Prober, n: int) -> bool:
    base = round_up(256, n)
    return all(prober.takes(prober.noise(base + i * n, base + j * n)) for i, j in ((0, 0), (1, 0), (0, 1)))


def _is_period(prober: Prober, shift: int, lengths: tuple[int, ...], fill: float | None = None) -> bool:
    across = side(prober, max(shift, round_up(32, shift)))
    if across is None:
        return False
    return all(
        any(_commutes(prober, axis, prober.size(_odd(length, shift), shift), across, shift, fill) for length in lengths)
        for axis in IMAGE_AXES
    )


def _odd(length: int, shift: int) -> int:
    """An odd multiple of the shift, px: an even one would suit a network of twice the stride."""
    times = -(-length // shift)
    return (times + 1 - times % 2) * shift


def _commutes(prober: Prober, axis: Axis, length: int, across: int, shift: int, fill: float | None) -> bool:
    """Whether a shifted image gives shifted logits.

    ``fill`` fills everything after the middle and only NaNs are compared.
    """
    if shift >= length // 3:
        return False
    long = prober.strip(axis, length + shift, across)
    if fill is not None:
        slice_axis(long, axis, round_down(length // 2, shift), length + shift).fill_(fill)
    try:
        first, second = (
            prober.run(slice_axis(long, axis, 0, length)),
            prober.run(slice_axis(long, axis, shift, length + shift)),
        )
    except PlanError:
        raise
    except Exception:  # a network refuses a size with whatever its layers raise
        return False
    start, stop = _middle(length, shift, narrow=prober.has_small_maximum)
    original, shifted = slice_axis(first, axis, start + shift, stop + shift), slice_axis(second, axis, start, stop)
    return (
        equal_to_rounding(original, shifted, first) if fill is None else torch.equal(original.isnan(), shifted.isnan())
    )


def _middle(length: int, shift: int, narrow: bool) -> tuple[int, int]:
    """What is compared: the middle third of a strip, or as little as shows every phase, farthest from the ends."""
    if narrow:
        start = (length - 2 * shift) // 2
        return start, start + shift
    return round_down(length // 3, shift), round_down(2 * length // 3, shift)


def equal_to_rounding(a: torch.Tensor, b: torch.Tensor, scale: torch.Tensor) -> bool:
    """Whether two logits are equal to rounding of the largest in ``scale``."""
    return bool(((a - b).abs().amax() <= TIGHT * scale.abs().amax()).item())


def _reduce(n: int, holds: Callable[[int], bool]) -> int:
    """The smallest divisor of ``n`` that still holds, found prime by prime."""
    for prime in (2, 3, 5, 7, 11, 13):
        while n % prime == 0 and holds(n // prime):
            n //= prime
    return n
