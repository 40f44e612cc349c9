"""What a network takes and returns, seen by a few small passes; its radius and its memory are not measured."""

from __future__ import annotations

from dataclasses import replace

from pipeline.errors import ModelError, PipelineError
from pipeline.geometry.span import round_up
from pipeline.inspect.locality import stride
from pipeline.inspect.locality.measure import locality_of_one_size, refusal
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.memory.limit import Room
from pipeline.inspect.output.check import with_answer
from pipeline.inspect.sizes import cropped
from pipeline.inspect.sizes.accepted import open_prober
from pipeline.inspect.sizes.unpadded import unpadded_margin
from pipeline.interfaces import Locality, Network


def first_look(network: Network, bands: int, trained: int | None = None, room: Room | None = None) -> Locality:
    """Look at a network as far as one forward pass needs it.

    The verdict is ``unproven``. The stride is a number whose multiples the network takes as sizes, and which most
    strides divide.

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
        It runs on no size that was tried.
    """
    try:
        return _looked_at(network, bands, trained, room)
    except PipelineError:
        raise
    except Exception as error:  # a network raises whatever its layers raise
        line = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ModelError(
            f"The network runs on some sizes and fails on others that it should take: {line[:200]}. Set "
            f"model.input.size to the size that it was trained on."
        ) from error


def _looked_at(network: Network, bands: int, trained: int | None, room: Room | None) -> Locality:
    prober, size_and_step = open_prober(network, bands, trained, room)
    if prober.fixed is not None:
        return _of_one_size(prober, prober.fixed)
    margin = unpadded_margin(prober) if network.accepts.maximum is None else None
    if margin is not None:
        prober = replace(prober, network=network.with_margin(margin))
    unit = _unit(prober, size_and_step[0] if size_and_step else 0) or stride.accepted_unit(prober) or 1
    minimum = stride.side(prober, unit)
    if minimum is None:
        raise ModelError(refusal(prober, bands, trained))
    locality = replace(_unproven(prober, minimum), stride=unit)
    return replace(with_answer(prober, locality), margin=margin)


def _unit(prober: Prober, size: int) -> int | None:
    """A usual period whose multiples the network takes as sizes, by the smallest images that tell it."""
    for n in stride.USUAL_PERIODS:
        base = round_up(max(size, prober.network.accepts.minimum), n)
        if n % prober.network.accepts.multiple == 0 and all(
            prober.takes(prober.noise(base + i * n, base + j * n)) for i, j in ((1, 0), (0, 1))
        ):
            return n
    return None


def _of_one_size(prober: Prober, size: int) -> Locality:
    margin = cropped.one_size_margin(prober, size)
    if margin is not None:
        return locality_of_one_size(prober, margin)
    return with_answer(prober, replace(_unproven(prober, size), size=size))


def _unproven(prober: Prober, side: int) -> Locality:
    return Locality(
        verdict="unproven",
        stride=1,
        radius=None,
        bands=prober.bands,
        classes=len(prober.run(prober.noise(side, side))),
        minimum=side,
    )
