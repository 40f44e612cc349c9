"""The verdict: stride, radius, and whether tiles were seen to equal the whole."""

from __future__ import annotations

from itertools import chain

import torch

from pipeline.errors import ModelError, PipelineError
from pipeline.locality import confirm, receptive_field, stride
from pipeline.locality.blame import suspects
from pipeline.locality.probe import Prober
from pipeline.locality.room import Room
from pipeline.locality.suspects import Suspects
from pipeline.protocols import Locality, Network, Radius
from pipeline.raster.span import round_up

FIXED = "a fixed input size, which leaves no larger image to compare with"
CRAMPED = "a largest input size that leaves no larger image to compare with"


def measure(network: Network, bands: int, room: Room | None = None) -> Locality:
    """Measure a network, on whatever device it is.

    Parameters
    ----------
    network
        In eval mode.
    bands
        Bands of its input.
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
        return _measured(network, bands, room)
    except PipelineError:
        raise
    except Exception as error:  # a network raises whatever its layers raise
        said = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise ModelError(
            f"The network runs on some sizes and fails on others in a way that follows no stride: {said[0][:200]}. "
            "Make it take every size that is a multiple of its stride."
        ) from error


def _measured(network: Network, bands: int, room: Room | None) -> Locality:
    weights = next(chain(network.module.parameters(), network.module.buffers()), None)
    prober = Prober(network=network, bands=bands, device=weights.device if weights is not None else torch.device("cpu"), room=room)
    period = stride.find(prober)
    unit = period or stride.multiple(prober)
    minimum = stride.side(prober, unit)
    if minimum is None or not prober.takes(prober.noise(minimum, minimum)):
        raise ModelError(_refuses(prober, bands))
    across = stride.side(prober, round_up(32, unit)) or minimum
    classes = len(prober.see(prober.noise(across, across)))
    reach = receptive_field.radius(prober, period, across) if period else None
    equal = _equal(prober, period, reach, across)
    found = suspects(prober, across, thorough=not equal)
    verdict, blame = _verdict(found, equal, FIXED if prober.fixed else CRAMPED, measured=reach is not None)
    known = None if equal is False or verdict == "not local" else reach
    return Locality(verdict=verdict, stride=unit, radius=known, bands=bands, classes=classes, minimum=minimum, blame=blame)


def _equal(prober: Prober, period: int | None, reach: Radius | None, across: int) -> bool | None:
    """Whether tiles were seen to equal the whole; None where no image is large enough to see it."""
    if period is None or reach is None:
        return None if prober.cramped else False
    if prober.fixed:
        return None
    return confirm.confirm(prober, period, receptive_field.halo_for(reach, period), across)


def _verdict(found: Suspects, equal: bool | None, unseen: str, measured: bool) -> tuple[str, tuple[str, ...]]:
    """The verdict, and the layers or the lack that it rests on."""
    if equal:
        return ("unproven", found.data) if found.data else ("local", ())
    if equal is None and (measured or not (found.everywhere or found.positions)):
        return "unproven", (*found.data, unseen)
    if equal is False and found.data and not found.everywhere:
        return "unproven", found.data
    return "not local", found.all


def _refuses(prober: Prober, bands: int) -> str:
    side = prober.size(256, 64)
    try:
        prober.see(prober.noise(side, side))
        why = "it takes no square up to 1024 px that is a multiple of its stride"
    except ModelError:  # it runs, and what it returns is no map
        raise
    except Exception as error:  # whatever it raises is what the user needs to read
        why = f"{type(error).__name__}: {str(error).strip().splitlines()[-1][:200]}"
    return (
        f"The network cannot run on {bands} bands at any size that was tried ({why}). Check that source.bands gives the number of bands it was "
        "trained on, and that it takes one image of (batch, bands, rows, cols)."
    )
