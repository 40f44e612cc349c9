"""The verdict: stride, radius, and whether tiles were seen to equal the whole."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import chain

import torch

from pipeline.errors import ModelError, PipelineError
from pipeline.geometry.margin import Margin
from pipeline.geometry.span import round_down, round_up
from pipeline.inspect.locality import fixed_size, receptive_field, stride, tiled_equals_whole
from pipeline.inspect.locality.blame import suspects
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.memory.limit import Room
from pipeline.inspect.operations.suspects import Suspects
from pipeline.inspect.output.check import with_answer
from pipeline.inspect.sizes import cropped
from pipeline.inspect.sizes.accepted import first, largest, tried
from pipeline.inspect.sizes.unpadded import margin
from pipeline.interfaces import Locality, Network, Radius

CRAMPED = "a largest input size that leaves no larger image to compare with"


def measure(network: Network, bands: int, trained: int | None = None, room: Room | None = None) -> Locality:
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
        said = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise ModelError(
            f"The network runs on some sizes and fails on others in a way that follows no stride: {said[0][:200]}. "
            "Make it take every size that is a multiple of its stride."
        ) from error


def _measured(network: Network, bands: int, trained: int | None, room: Room | None) -> Locality:
    weights = next(chain(network.module.parameters(), network.module.buffers()), None)
    prober = Prober(network=network, bands=bands, device=weights.device if weights is not None else torch.device("cpu"), room=room)
    taken = first(prober, trained)
    size, step = taken or (0, 0)
    if taken and not step:
        prober = replace(prober, network=network.only(size))
    if prober.fixed is not None and (crop := cropped.margin(prober, prober.fixed)) is not None:
        return _one_size(prober, crop)
    if prober.fixed is not None:
        return with_answer(prober, fixed_size.measure(prober, prober.fixed))
    most = largest(prober, size, step) if taken else None
    if most is not None:
        return _limited(replace(prober, network=network.upto(most, stride.unit(prober, size, step))), bands, trained, most)
    left_off = margin(prober) if network.accepts.maximum is None else None
    if left_off is not None:
        return _unpadded(_several(replace(prober, network=network.within(left_off)), bands, trained, left_off), left_off)
    return _several(prober, bands, trained)


def _several(prober: Prober, bands: int, trained: int | None, left_off: Margin | None = None) -> Locality:
    """Of a network that takes several sizes, unpadded where it leaves anything off."""
    period = _step(prober, left_off) or stride.find(prober)
    unit = period or stride.multiple(prober)
    minimum = stride.side(prober, unit)
    if minimum is None or not prober.takes(prober.noise(minimum, minimum)):
        raise ModelError(_refuses(prober, bands, trained))
    across = stride.side(prober, round_up(32, unit)) or minimum
    classes = len(prober.see(prober.noise(across, across)))
    reach = _beyond(receptive_field.radius(prober, period, across) if period else None, left_off)
    equal = _equal(prober, period, reach, across)
    layers = suspects(prober, across, thorough=not equal)
    verdict, blame = _verdict(layers, equal, measured=reach is not None)
    radius = None if equal is False or verdict == "not local" else reach
    return with_answer(prober, Locality(verdict=verdict, stride=unit, radius=radius, bands=bands, classes=classes, minimum=minimum, blame=blame))


def _limited(prober: Prober, bands: int, trained: int | None, most: int) -> Locality:
    """Of a network that takes no size beyond one that its file does not declare."""
    locality = _several(prober, bands, trained)
    most = round_down(most, locality.stride)
    words = f"the network takes no images larger than about {most} px, which was found by trying: tiles are no larger"
    return replace(locality, maximum=most, remarks=(words, *locality.remarks))


def _step(prober: Prober, left_off: Margin | None) -> int | None:
    """The step of the sizes that an unpadded network takes, px, where that is a stride; no smaller one is of use, since tiles are of such sizes."""
    step = 0 if left_off is None else math.lcm(left_off.rows.step, left_off.cols.step)
    return step if step and stride.holds(prober, step) else None


def _one_size(prober: Prober, left_off: Margin) -> Locality:
    """Of an unpadded network that takes one size: a tile has all that its answer needs."""
    size, inside = left_off.rows.least, replace(prober, network=prober.network.within(left_off))
    classes = len(inside.see(inside.noise(left_off.minimum, left_off.minimum)))
    locality = Locality(
        verdict="unproven", stride=left_off.rows.step, radius=_beyond(Radius(top=0, bottom=0, left=0, right=0), left_off), bands=prober.bands,
        classes=classes, minimum=left_off.minimum, blame=(fixed_size.FIXED,), size=size,
    )  # fmt: skip
    return _unpadded(with_answer(inside, locality), left_off)


def _beyond(radius: Radius | None, left_off: Margin | None) -> Radius | None:
    """A radius that holds the margin, since a tile has nothing to keep there."""
    if radius is None or left_off is None:
        return radius
    rows, cols = left_off.rows, left_off.cols
    return Radius(
        top=max(radius.top, rows.skip + rows.before), bottom=max(radius.bottom, rows.after + rows.slack),
        left=max(radius.left, cols.skip + cols.before), right=max(radius.right, cols.after + cols.slack),
    )  # fmt: skip


def _unpadded(locality: Locality, left_off: Margin) -> Locality:
    """With its margin, and what is to be said of it."""
    rows, cols = left_off.rows, left_off.cols
    given, returned = (rows.least, cols.least), (rows.least - rows.before - rows.after, cols.least - cols.before - cols.after)
    sizes = f"sizes that are multiples of {_by((rows.step, cols.step))} px larger" if left_off.maximum is None else "no other size"
    words = f"the network is unpadded: of {_by(given)} px it returns {_by(returned)}, and it takes {sizes}; it leaves off {left_off.sides}"
    return replace(locality, margin=left_off, remarks=(words, *locality.remarks))


def _by(size: tuple[int, int]) -> str:
    """Rows and columns in words, once where they are alike."""
    rows, cols = size
    return str(rows) if rows == cols else f"{rows} × {cols}"


def _equal(prober: Prober, period: int | None, reach: Radius | None, across: int) -> bool | None:
    """Whether tiles were seen to equal the whole; None where no image is large enough to see it."""
    if period is None or reach is None:
        return None if prober.cramped else False
    return tiled_equals_whole.confirm(prober, period, receptive_field.halo_for(reach, period), across)


def _verdict(found: Suspects, equal: bool | None, measured: bool) -> tuple[str, tuple[str, ...]]:
    """The verdict, and the layers or the lack that it rests on."""
    if equal:
        return ("unproven", found.data) if found.data else ("local", ())
    if equal is None and (measured or not (found.everywhere or found.positions)):
        return "unproven", (*found.data, CRAMPED)
    if equal is False and found.data and not found.everywhere:
        return "unproven", found.data
    return "not local", found.all


def _refuses(prober: Prober, bands: int, trained: int | None) -> str:
    """Why it runs on nothing, and which sizes were tried."""
    side = prober.size(trained or 256, prober.network.accepts.multiple)
    try:
        prober.see(prober.noise(side, side))
        why = f"it takes squares of {side} px, and none of those that a tiling needs"
    except ModelError:  # it runs, and what it returns is no map
        raise
    except Exception as error:  # whatever it raises is what the user needs to read
        why = f"at {side} px: {type(error).__name__}: {(str(error).strip().splitlines() or [''])[-1][:200]}"
    sizes = ", ".join(map(str, sorted(tried(trained)))) if prober.network.accepts.maximum is None else f"those that its file allows, such as {side}"
    return (
        f"The network cannot run on {bands} bands at any size that was tried ({why}). Tried were squares of {sizes} px. Set model.input.size to the size "
        "it was trained on, and check that source.bands gives the bands it was trained on and that it takes one image of (batch, bands, rows, cols)."
    )
