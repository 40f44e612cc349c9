"""The stride: the smallest shift that a network commutes with, among the sizes it takes."""

from __future__ import annotations

import torch

from pipeline.locality.probe import AXES, Axis, Prober, along
from pipeline.raster.span import round_down, round_up

UNITS = (64, 96, 80, 112, 120, 72, 88, 104, 128, 256)
"""Periods tried first; every stride up to 16 divides one of them."""
LENGTHS = (1024, 2048, 4096)
"""Lengths of the strip, px: its middle third must not feel the ends."""
TIGHT = 2e-5
"""Rounding, relative to the largest logit."""


def find(prober: Prober) -> int | None:
    """The smallest shift period, px, or None where there is none up to 256."""
    unit = next((unit for unit in UNITS if _is_period(prober, unit, LENGTHS[:1])), None)
    if unit is None:
        unit = UNITS[0] if _is_period(prober, UNITS[0], LENGTHS[1:]) else None
    return None if unit is None else _reduce(unit, lambda n: _is_period(prober, n, LENGTHS))


def multiple(prober: Prober) -> int:
    """The smallest number of which sizes must be multiples; for networks without a stride."""
    if prober.fixed:
        return 1
    unit = next((unit for unit in UNITS if _takes_multiples(prober, unit)), 1)
    return _reduce(unit, lambda n: _takes_multiples(prober, n))


def side(prober: Prober, unit: int) -> int | None:
    """The smallest side ≥ 1 unit that the network takes across a strip, px."""
    if prober.fixed:
        return prober.fixed
    sizes = (prober.size(k * unit, unit) for k in (1, 2, 3, 4, 6, 8, 16, 32, 64) if k * unit <= 1024 or k == 1)
    return next((size for size in sizes if prober.takes(prober.noise(size, size))), None)


def _takes_multiples(prober: Prober, n: int) -> bool:
    base = round_up(256, n)
    return all(prober.takes(prober.noise(base + i * n, base + j * n)) for i, j in ((0, 0), (1, 0), (0, 1)))


def _is_period(prober: Prober, shift: int, lengths: tuple[int, ...]) -> bool:
    across = side(prober, max(shift, round_up(32, shift)))
    if across is None:
        return False
    return all(any(_commutes(prober, axis, prober.size(length, shift), across, shift) for length in lengths) for axis in AXES)


def _commutes(prober: Prober, axis: Axis, length: int, across: int, shift: int) -> bool:
    if shift >= length // 3:
        return False
    long = prober.strip(axis, length + shift, across)
    try:
        first, second = prober.see(along(long, axis, 0, length)), prober.see(along(long, axis, shift, length + shift))
    except Exception:  # as above: this size is refused
        return False
    start, stop = round_down(length // 3, shift), round_down(2 * length // 3, shift)
    return same(along(first, axis, start + shift, stop + shift), along(second, axis, start, stop), first)


def same(a: torch.Tensor, b: torch.Tensor, scale: torch.Tensor) -> bool:
    """Whether two logits are equal to rounding of the largest in ``scale``."""
    return bool(((a - b).abs().amax() <= TIGHT * scale.abs().amax()).item())


def _reduce(n: int, holds: object) -> int:
    """The smallest divisor of ``n`` that still holds, found prime by prime."""
    assert callable(holds)
    for prime in (2, 3, 5, 7, 11, 13):
        while n % prime == 0 and holds(n // prime):
            n //= prime
    return n
