"""The radius: how far an output looks beyond an aligned cut, per axis and side.

Everything beyond the cut is set to NaN once and to other random numbers several times; where the output changes, it
depends on what lies beyond. The larger reach counts: NaNs are swallowed by comparisons, draws miss what cancels.

    |xxxxxxxxxxxxxxx|NNNNNNNNNNNNNNN|      input, cut at half its length
    |ooooooooooo~~~~|~~~~~~~~~~~~~~~|      output: the reach is four
"""

from __future__ import annotations

from typing import Literal

import torch

from pipeline.geometry.span import round_up
from pipeline.inspect.locality.probe import Axis, Prober, slice_axis
from pipeline.interfaces import InputReach, Radius

START, BOUND = 512, 8192
"""Length of the first strip and of the longest, px."""
SCALES = (3.0, 3.0, 1e3)
"""Standard deviations of the draws: large ones wake what usual pixels do not."""

ALL_BANDS = slice(None)

Side = Literal["before", "after"]


def input_reaches(prober: Prober, stride: int, across: int) -> tuple[InputReach, ...]:
    """The reach in each input of a network of several, with the pixels of the others as they are."""
    inputs, first, reaches = prober.network.inputs, 0, list[InputReach]()
    for entry in inputs if len(inputs) > 1 else ():
        bands = slice(first, first + entry.bands)
        reaches.append(InputReach(name=entry.name, radius=radius(prober, stride, across, bands=bands)))
        first += entry.bands
    return tuple(reaches)


def radius(
    prober: Prober, stride: int, across: int, scales: tuple[float, ...] = SCALES, bands: slice = ALL_BANDS
) -> Radius | None:
    """The reach on each side, px, or None where it has no bound below 4096 px.

    Parameters
    ----------
    prober
        The network.
    stride
        With which it commutes with shifts, px.
    across
        The short side of the strips, px.
    scales
        Standard deviations of the draws.
    bands
        In which the reach is measured; the others keep their values.
    """
    reaches = {}
    for axis in ("rows", "cols"):
        for side in ("before", "after"):
            reach = _bounded_reach(prober, axis, side, stride, across, scales, bands)
            if reach is None:
                return None
            reaches[axis, side] = reach
    return Radius(
        top=reaches["rows", "before"],
        bottom=reaches["rows", "after"],
        left=reaches["cols", "before"],
        right=reaches["cols", "after"],
    )


def _bounded_reach(
    prober: Prober, axis: Axis, side: Side, stride: int, across: int, scales: tuple[float, ...], bands: slice
) -> int | None:
    length = max(START, across)  # never below what the network takes
    while length <= BOUND:
        size = prober.size(length, 2 * stride)
        reach = _reach(prober, axis, side, size, size // 2 // stride * stride, across, scales, bands)
        if reach is not None or size < length:  # longer images are not to be had
            return reach
        length *= 2
    return None


def _reach(
    prober: Prober,
    axis: Axis,
    side: Side,
    length: int,
    cut: int,
    across: int,
    scales: tuple[float, ...],
    bands: slice,
) -> int | None:
    """Reach into the kept side of one strip, or None where it touches the strip's end."""
    base = prober.strip(axis, length, across)
    reference = prober.run(base)
    room = cut if side == "after" else length - cut
    reach = 0
    for draw, scale in enumerate((torch.nan, *scales)):
        other = base.clone()
        far_part = slice_axis(other, axis, *((cut, length) if side == "after" else (0, cut)))[:, bands]
        far_part.copy_(scale * torch.randn(far_part.shape, generator=_generator(draw)).to(far_part.device))
        changed = (prober.run(other) != reference).any(0).any(1 if axis == "rows" else 0)  # NaN differs from everything
        reach = max(reach, _changed_depth(changed.nonzero().flatten().tolist(), side, cut))
        if reach >= room:
            return None
    return reach


def _changed_depth(hit: list[int], side: Side, cut: int) -> int:
    """How far into the kept side an output changed, px."""
    if not hit:
        return 0
    return max(0, cut - hit[0] if side == "after" else hit[-1] + 1 - cut)


def _generator(draw: int) -> torch.Generator:
    return torch.Generator().manual_seed(1000 + draw)


def halo_for(radius: Radius, stride: int) -> int:
    """The smallest exact halo, px."""
    return round_up(radius.largest, stride)
