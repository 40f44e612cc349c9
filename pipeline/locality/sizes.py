"""Whether a network takes one size of image only, found by trying."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from pipeline.errors import PlanError
from pipeline.locality.probe import Prober
from pipeline.models.answer import SIDES
from pipeline.protocols import Network


def only_size(prober: Prober, trained: int | None) -> int | None:
    """The one size that a network takes, px; None where it takes several, or none of the usual ones.

    Parameters
    ----------
    prober
        Of the network, whose memory is kept to.
    trained
        ``model.input.size``, px, which is tried first.

    Raises
    ------
    PlanError
        There is no room for an image that would tell.
    """
    if prober.network.accepts.maximum is not None:
        return None  # its file says what it takes
    size = next((size for size in tried(trained) if _runs(prober, size)), None)
    if size is None or any(_runs(prober, other) for other in _others(prober, size)):
        return None
    return size


def tried(trained: int | None) -> tuple[int, ...]:
    """Sizes in the order in which they are tried, px."""
    return tuple(dict.fromkeys((trained, *SIDES) if trained else SIDES))


def _others(prober: Prober, size: int) -> Iterator[int]:
    """Sizes of which a network that takes several takes one: their differences from the first divide into any usual stride.

    The nearest are tried or refused; the larger ones are left out where there is no room for them.
    """
    near, far = (size + 32, size + 64, size + 16), (size * 3 // 2, size * 2)
    yield from near
    yield from (other for other in far if other not in near and _fits(prober, other))


def _fits(prober: Prober, size: int) -> bool:
    return prober.room is None or prober.room.fits(prober.network, _image(prober, size))


def _runs(prober: Prober, size: int) -> bool:
    """Whether it returns anything at all."""
    network = prober.network
    # a process that tells the memory of a graph takes longer than a run: sizes that it refuses have none
    looks = prober if network.graph is None else replace(prober, room=None)
    try:
        looks.see(_image(prober, size), _unread)
    except PlanError:
        raise
    except Exception:  # a network refuses a size with whatever its layers raise
        return False
    return True


def _image(prober: Prober, size: int) -> torch.Tensor:
    return torch.zeros((prober.network.accepts.batch or 1, prober.bands, size, size), device=prober.device)


def _unread(network: Network, x: torch.Tensor) -> torch.Tensor:
    """Run a network and leave what it returns, of whatever form."""
    network.module(x)
    return x
