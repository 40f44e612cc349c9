"""The proof on random input: tiles of several sizes at several aligned offsets equal the whole."""

from __future__ import annotations

from pipeline.geometry.span import round_up
from pipeline.inspect.locality.probe import IMAGE_AXES, Axis, Prober, slice_axis
from pipeline.inspect.locality.stride import equal_to_rounding

AREA = 1024**2
"""Largest square that is tried, px."""


def tiles_equal_whole(prober: Prober, stride: int, halo: int, across: int) -> bool | None:
    """Whether tiles with this halo equal the whole to rounding, along both axes and in the plane.

    Returns
    -------
    bool or None
        None where the network takes no image larger than a tile.
    """
    results = [equal for axis in IMAGE_AXES for equal in _strips(prober, axis, stride, halo, across)]
    if not all(results):
        return False
    return _plane(prober, stride, halo, across) if results else None


def _strips(prober: Prober, axis: Axis, stride: int, halo: int, across: int) -> list[bool]:
    """Cut tiles out of one long thin image, none of them as long as it.

    ::

        |··········|hhhh|cccc|hhhh|··········|
    """
    cores = (stride, 3 * stride, round_up(max(halo // 2, 40), stride))
    length = prober.size(max(2 * halo, across) + 2 * max(cores) + 7 * stride, stride)
    x = prober.strip(axis, length, across, draw=7)
    whole = prober.run(x)
    results = []
    for k, core in enumerate(cores):
        start = halo + (k + 1) * stride
        stop, low = start + core, start - halo
        high = max(stop + halo, low + across)  # never below what the network takes
        if high <= length:
            tile = prober.run(slice_axis(x, axis, low, high))
            results.append(
                equal_to_rounding(
                    slice_axis(tile, axis, start - low, stop - low), slice_axis(whole, axis, start, stop), whole
                )
            )
    return results


def _plane(prober: Prober, stride: int, halo: int, across: int) -> bool:
    side = prober.size(max(2 * halo + 3 * stride, across + stride), stride)
    if side * side > AREA:
        return True
    x = prober.noise(side, side, draw=8)
    whole = prober.run(x)
    edge = side - halo - stride  # a core in the far corner: one side halo, one side the image's own edge
    low = max(0, min(edge - halo, side - across))
    tile = prober.run(x[..., low:, low:])
    return equal_to_rounding(tile[:, edge - low :, edge - low :], whole[:, edge:, edge:], whole)
