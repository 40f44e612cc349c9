"""Networks of one input size.

Seen by a few passes at that size, since no larger image can be had to compare tiles with.

Shifted images give shifted logits far from their ends, or the network is not local::

    |aaaaaaaa|CC|aaaaaaaa|          one image
       |bbbbb|CC|bbbbbbbbbbb|       another, a period further on: C must be the same

The radius is measured by a cut in the middle, as for any network. Where it leaves a core, two tiles must agree on what
both keep.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from pipeline.inspect.locality import receptive_field
from pipeline.inspect.locality.blame import find_nonlocal_ops, global_layers
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.locality.stride import equal_to_rounding
from pipeline.inspect.operations import onnx
from pipeline.inspect.operations.rules import NonLocalOps
from pipeline.interfaces import Locality, Radius
from pipeline.models.several_inputs.split_input import network_within

ONE_SIZE_REASON = "a fixed input size, which leaves no larger image to compare with"
_SCALES = (3.0, 1e3)
"""Standard deviations of the draws beyond a cut, beside NaN."""


def measure_one_size(prober: Prober, size: int) -> Locality:
    """Stride, radius and verdict of a network that takes images of ``size`` px only."""
    classes = len(prober.run(prober.noise(size, size)))
    period = _period(prober, size)
    reach = None if period is None else _reach(prober, size, period)
    layers = _nonlocal_ops(prober, size)
    local = reach is not None or not (layers.everywhere or layers.positions)
    return Locality(
        verdict="unproven" if local else "not local",
        stride=period if period and reach else 1,
        radius=reach,
        bands=prober.bands,
        classes=classes,
        minimum=size,
        blame=(*layers.data, ONE_SIZE_REASON) if local else layers.all,
        size=size,
    )


def _period(prober: Prober, size: int) -> int | None:
    """The smallest divisor of the size, px, by which shifted images give shifted logits in their middle."""
    periods = [step for step in range(1, size // 3 + 1) if size % step == 0]
    if not periods:
        return None
    image = prober.noise(size + periods[-1], size + periods[-1])
    first = prober.run(image[..., :size, :size])

    def holds(step: int) -> bool:
        start = (size - 2 * step) // 2
        moved, unmoved = (slice(start + step, start + 2 * step),) * 2, (slice(start, start + step),) * 2
        shifted = prober.run(image[..., step : step + size, step : step + size])
        return equal_to_rounding(first[(..., *moved)], shifted[(..., *unmoved)], first)

    return next((step for step in periods if holds(step)), None)


def _reach(prober: Prober, size: int, period: int) -> Radius | None:
    """The radius, px, where it leaves a core and tiles agree on their cores; else None."""
    reach = receptive_field.radius(prober, period, size, _SCALES)
    if reach is None:
        return None
    halo = receptive_field.halo_for(reach, period)
    return reach if size - 2 * halo >= period and _agree(prober, size, period, halo) else None


def _agree(prober: Prober, size: int, period: int, halo: int) -> bool:
    """Whether two tiles say the same where both have their halo."""
    step = (size - 2 * halo) // 2 // period * period
    if step == 0:
        return True  # no tile but one keeps any pixel of it
    image = prober.noise(size + step, size + step, draw=9)
    first, second = prober.run(image[..., :size, :size]), prober.run(image[..., step:, step:])
    moved, unmoved = slice(halo + step, size - halo), slice(halo, size - halo - step)
    return equal_to_rounding(first[:, moved, moved], second[:, unmoved, unmoved], first)


def _nonlocal_ops(prober: Prober, size: int) -> NonLocalOps:
    """What one pass and the names of layers show.

    A graph outside of torch is asked for the operators that look everywhere by their names.
    """
    if prober.network.graph is None:
        layers = find_nonlocal_ops(prober, size, thorough=False)
        global_names = global_layers(network_within(prober.network.module))
        return replace(layers, everywhere=tuple(dict.fromkeys((*layers.everywhere, *global_names))))
    graph, image = prober.network.graph, torch.zeros((1, prober.bands, size, size), device=prober.device)
    names = tuple(
        f"{step.name} ({onnx.GLOBAL[step.kind]})" for step in graph.steps(image, kinds=frozenset(onnx.GLOBAL))
    )
    return NonLocalOps(everywhere=names, positions=(), data=())
