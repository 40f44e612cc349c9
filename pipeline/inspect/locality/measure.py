"""The verdict: stride, radius, and whether tiles were seen to equal the whole."""

from __future__ import annotations

import math
from dataclasses import replace

from pipeline.errors import ModelError, PipelineError
from pipeline.geometry.margin import Margin
from pipeline.geometry.span import round_down, round_up
from pipeline.inspect.locality import fixed_size, receptive_field, stride, tiled_equals_whole
from pipeline.inspect.locality.blame import find_nonlocal_ops
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.memory.limit import Room
from pipeline.inspect.operations.rules import NonLocalOps
from pipeline.inspect.output.check import with_answer
from pipeline.inspect.sizes import cropped
from pipeline.inspect.sizes.accepted import largest, open_prober, tried
from pipeline.inspect.sizes.unpadded import unpadded_margin
from pipeline.interfaces import Locality, Network, Radius

SMALL_MAXIMUM_REASON = "a largest input size that leaves no larger image to compare with"


def measure_locality(network: Network, bands: int, trained: int | None = None, room: Room | None = None) -> Locality:
    """Measure a network, on whatever device it is.

    Parameters
    ----------
    network
        In eval mode.
    bands
        Bands of its input.
    trained
        ``model.input.size``, px: tried before the usual sizes.
    room
        Memory that its images may take; None for as much as there is.

    Raises
    ------
    PlanError
        There is less than that.
    ModelError
        It runs on no size that was tried, or fails on sizes it should take.
    """
    try:
        return _measured(network, bands, trained, room)
    except PipelineError:
        raise
    except Exception as error:  # a network raises whatever its layers raise
        lines = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise ModelError(
            f"The network runs on some sizes and fails on others in a way that follows no stride: {lines[0][:200]}. "
            "Make it take every size that is a multiple of its stride."
        ) from error


def _measured(network: Network, bands: int, trained: int | None, room: Room | None) -> Locality:
    prober, size_and_step = open_prober(network, bands, trained, room)
    size, step = size_and_step or (0, 0)
    if prober.fixed is not None and (crop := cropped.one_size_margin(prober, prober.fixed)) is not None:
        return locality_of_one_size(prober, crop)
    if prober.fixed is not None:
        return with_answer(prober, fixed_size.measure_one_size(prober, prober.fixed))
    maximum = largest(prober, size, step) if size_and_step else None
    if maximum is not None:
        return _below_maximum(
            replace(prober, network=network.with_maximum(maximum, stride.size_unit(prober, size, step))),
            bands,
            trained,
            maximum,
        )
    left_off = unpadded_margin(prober) if network.accepts.maximum is None else None
    if left_off is not None:
        return _unpadded(
            _several_sizes(replace(prober, network=network.with_margin(left_off)), bands, trained, left_off), left_off
        )
    return _several_sizes(prober, bands, trained)


def _several_sizes(prober: Prober, bands: int, trained: int | None, left_off: Margin | None = None) -> Locality:
    """Of a network that takes several sizes, unpadded where it leaves anything off."""
    period = _step(prober, left_off) or stride.find_stride(prober)
    unit = period or stride.multiple(prober)
    minimum = stride.side(prober, unit)
    if minimum is None or not prober.takes(prober.noise(minimum, minimum)):
        raise ModelError(refusal(prober, bands, trained))
    across = stride.side(prober, round_up(32, unit)) or minimum
    classes = len(prober.run(prober.noise(across, across)))
    reach = _with_margin(receptive_field.radius(prober, period, across) if period else None, left_off)
    equal = _equal(prober, period, reach, across)
    layers = find_nonlocal_ops(prober, across, thorough=not equal)
    verdict, blame = _verdict(layers, equal, measured=reach is not None)
    radius = None if equal is False or verdict == "not local" else reach
    return with_answer(
        prober,
        Locality(
            verdict=verdict,
            stride=unit,
            radius=radius,
            bands=bands,
            classes=classes,
            minimum=minimum,
            blame=blame,
            inputs=receptive_field.input_reaches(prober, period, across) if period else (),
        ),
    )


def _below_maximum(prober: Prober, bands: int, trained: int | None, maximum: int) -> Locality:
    """Of a network that takes no size beyond one that its file does not declare."""
    locality = _several_sizes(prober, bands, trained)
    maximum = round_down(maximum, locality.stride)
    remark = (
        f"the network takes no images larger than about {maximum} px, which was found by trying: tiles are no larger"
    )
    return replace(locality, maximum=maximum, remarks=(remark, *locality.remarks))


def _step(prober: Prober, left_off: Margin | None) -> int | None:
    """The step of the sizes that an unpadded network takes, px, where that is a stride.

    No smaller one is of use, since tiles are of such sizes.
    """
    step = 0 if left_off is None else math.lcm(left_off.rows.step, left_off.cols.step)
    return step if step and stride.holds(prober, step) else None


def locality_of_one_size(prober: Prober, left_off: Margin) -> Locality:
    """Of an unpadded network that takes one size: a tile has all that its answer needs."""
    size, inside = left_off.rows.least, replace(prober, network=prober.network.with_margin(left_off))
    classes = len(inside.run(inside.noise(left_off.minimum, left_off.minimum)))
    locality = Locality(
        verdict="unproven",
        stride=left_off.rows.step,
        radius=_with_margin(Radius(top=0, bottom=0, left=0, right=0), left_off),
        bands=prober.bands,
        classes=classes,
        minimum=left_off.minimum,
        blame=(fixed_size.ONE_SIZE_REASON,),
        size=size,
    )
    return _unpadded(with_answer(inside, locality), left_off)


def _with_margin(radius: Radius | None, left_off: Margin | None) -> Radius | None:
    """A radius that holds the margin, since a tile has nothing to keep there."""
    if radius is None or left_off is None:
        return radius
    rows, cols = left_off.rows, left_off.cols
    return Radius(
        top=max(radius.top, rows.skip + rows.before),
        bottom=max(radius.bottom, rows.after + rows.slack),
        left=max(radius.left, cols.skip + cols.before),
        right=max(radius.right, cols.after + cols.slack),
    )


def _unpadded(locality: Locality, left_off: Margin) -> Locality:
    """With its margin, and what is to be said of it."""
    rows, cols = left_off.rows, left_off.cols
    given, returned = (
        (rows.least, cols.least),
        (rows.least - rows.before - rows.after, cols.least - cols.before - cols.after),
    )
    sizes = (
        f"sizes that are multiples of {_by((rows.step, cols.step))} px larger"
        if left_off.maximum is None
        else "no other size"
    )
    remark = (
        f"the network is unpadded: of {_by(given)} px it returns {_by(returned)}, and it takes "
        f"{sizes}; it leaves off {left_off.sides}"
    )
    return replace(locality, margin=left_off, remarks=(remark, *locality.remarks))


def _by(size: tuple[int, int]) -> str:
    """Rows and columns in words, once where they are alike."""
    rows, cols = size
    return str(rows) if rows == cols else f"{rows} × {cols}"


def _equal(prober: Prober, period: int | None, reach: Radius | None, across: int) -> bool | None:
    """Whether tiles were seen to equal the whole; None where no image is large enough to see it."""
    if period is None or reach is None:
        return None if prober.has_small_maximum else False
    return tiled_equals_whole.tiles_equal_whole(prober, period, receptive_field.halo_for(reach, period), across)


def _verdict(ops: NonLocalOps, equal: bool | None, measured: bool) -> tuple[str, tuple[str, ...]]:
    """The verdict, and the layers or the lack that it rests on."""
    if equal:
        return ("unproven", ops.data) if ops.data else ("local", ())
    if equal is None and (measured or not (ops.everywhere or ops.positions)):
        return "unproven", (*ops.data, SMALL_MAXIMUM_REASON)
    if equal is False and ops.data and not ops.everywhere:
        return "unproven", ops.data
    return "not local", ops.all


def refusal(prober: Prober, bands: int, trained: int | None) -> str:
    """Why it runs on nothing, and which sizes were tried."""
    side = prober.size(trained or 256, prober.network.accepts.multiple)
    try:
        prober.run(prober.noise(side, side))
        reason = f"it takes squares of {side} px, and none of those that a tiling needs"
    except ModelError:  # it runs, and what it returns is no map
        raise
    except Exception as error:  # whatever it raises is what the user needs to read
        reason = f"at {side} px: {type(error).__name__}: {(str(error).strip().splitlines() or [''])[-1][:200]}"
    sizes = (
        ", ".join(map(str, sorted(tried(trained))))
        if prober.network.accepts.maximum is None
        else f"those that its file allows, such as {side}"
    )
    return (
        f"The network cannot run on {bands} bands at any size that was tried ({reason}). Tried were squares "
        f"of {sizes} px. Set model.input.size to the size "
        "it was trained on, and check that source.bands gives the bands it was trained on and that it takes "
        "one image of (batch, bands, rows, cols)."
    )
