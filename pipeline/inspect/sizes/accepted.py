"""Which sizes of image a network takes, found by trying.

One only, all, or all up to a largest that its file does not declare.

A table of positions, a buffer or a check ends at some size: beyond, the network raises, or returns no more than it did
before::

    |first|step|step|step|step|step|......|      sizes in steps that it takes; the last that runs is searched for by
    halves
                         ^ largest
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain

import torch

from pipeline.errors import ModelError, PlanError
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.memory.limit import Room
from pipeline.inspect.sizes import LONG
from pipeline.interfaces import Network
from pipeline.models.answer import SIDES
from pipeline.models.output import require_scores

_ACROSS = 64
"""Their other side, px, where it takes that."""


def first(prober: Prober, trained: int | None) -> tuple[int, int] | None:
    """The first size that a network takes, px, and how many more px it takes as well, 0 where it takes no other.

    None where it takes none of the usual ones.

    None also where its file says what it takes.

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
        return None
    size = next((size for size in tried(trained) if _runs(prober, size)), None)
    if size is None:
        return None
    return size, next(
        (other for other in _larger_sizes(prober, size) if _runs(prober, other) and not _stays(prober, size, other)),
        size,
    ) - size


def open_prober(
    network: Network, bands: int, trained: int | None, room: Room | None
) -> tuple[Prober, tuple[int, int] | None]:
    """A prober of a network on the device of its weights, with its one size where it takes no other; and its `first`.

    Raises
    ------
    PlanError
        There is no room for an image that would tell.
    """
    weights = next(chain(network.module.parameters(), network.module.buffers()), None)
    device = weights.device if weights is not None else torch.device("cpu")
    prober = Prober(network=network, bands=bands, device=device, room=room)
    size_and_step = first(prober, trained)
    if size_and_step and not size_and_step[1]:
        prober = replace(prober, network=network.with_fixed_size(size_and_step[0]))
    return prober, size_and_step


def largest(prober: Prober, size: int, step: int) -> int | None:
    """The largest size that a network takes, px, where it is below `LONG`.

    None where it is not, and where that cannot be told.

    Parameters
    ----------
    prober
        Of the network, whose memory is kept to.
    size, step
        A size that it takes, and how many more px it takes as well.
    """
    step_count = -(-(LONG - size) // step)
    factor = _factor(prober, size, size)
    narrow = size - max(size - _ACROSS, 0) // step * step
    across = narrow if _factor(prober, narrow, narrow) == factor else size

    def takes(length: int, other: int) -> bool:
        return _factor(prober, length, other) == _factor(prober, other, length) == factor

    if (
        step_count < 2
        or factor is None
        or not (_fits(prober, size) and _fits(prober, size + step_count * step, across))
    ):  # a size that it takes tells what a pixel costs
        return None
    if takes(size + step_count * step, across) or not takes(size + step, across):
        return None
    last_step = last(lambda k: takes(size + k * step, across), 1, step_count)
    if _fits(prober, size + last_step * step) and not takes(size + last_step * step, size + last_step * step):
        last_step = last(lambda k: takes(size + k * step, size + k * step), 1, last_step)  # its limit is one of pixels
    return size + last_step * step


def last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The last number that holds, of numbers that hold from ``low`` and not at ``high``."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def tried(trained: int | None) -> tuple[int, ...]:
    """Sizes in the order in which they are tried, px."""
    return tuple(dict.fromkeys((trained, *SIDES) if trained else SIDES))


def _larger_sizes(prober: Prober, size: int) -> Iterator[int]:
    """Sizes of which a network that takes several takes one.

    Their differences from the first divide into any usual stride.

    The nearest are tried or refused; the larger ones are left out where there is no room for them.
    """
    near, far = (size + 32, size + 64, size + 16), (size * 3 // 2, size * 2)
    yield from near
    yield from (other for other in far if other not in near and _fits(prober, other))


def _fits(prober: Prober, rows: int, cols: int | None = None) -> bool:
    return prober.room is None or prober.room.fits(prober.network, _image(prober, rows, cols))


def _runs(prober: Prober, size: int) -> bool:
    """Whether it returns anything at all."""
    return _shape(prober, size, size) is not None


def _stays(prober: Prober, size: int, other: int) -> bool:
    """Whether it returns no more for a larger image than for one that it returns whole.

    It cuts what is too large for it.
    """
    return _shape(prober, size, size) == _shape(prober, other, other) == (size, size)


def _factor(prober: Prober, rows: int, cols: int) -> int | None:
    """How many px of an image are one of its answer.

    None where it does not run, or that is no whole number alike on both axes.
    """
    height, width = _shape(prober, rows, cols) or (0, 0)
    if not height or not width or rows % height or cols % width or rows // height != cols // width:
        return None
    return rows // height


def _shape(prober: Prober, rows: int, cols: int) -> tuple[int, int] | None:
    """(rows, cols) of what it returns, 0 where that is no map; None where it does not run."""
    network, shape = prober.network, [(0, 0)]

    def through(network: Network, x: torch.Tensor) -> torch.Tensor:
        returned = network.module(x)
        with suppress(ModelError):  # of whatever form
            height, width = require_scores(returned, network.key).shape[2:]
            shape[0] = height, width
        return x

    # a process that tells the memory of a graph takes longer than a run: sizes that it refuses have none
    unlimited = prober if network.graph is None else replace(prober, room=None)
    try:
        unlimited.run(_image(prober, rows, cols), through)
    except PlanError:
        raise
    except Exception:  # a network refuses a size with whatever its layers raise
        return None
    return shape[0]


def _image(prober: Prober, rows: int, cols: int | None = None) -> torch.Tensor:
    return torch.zeros((prober.network.accepts.batch or 1, prober.bands, rows, cols or rows), device=prober.device)
