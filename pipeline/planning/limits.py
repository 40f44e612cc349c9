"""Tiles that are larger than all that a network was measured with are tried once before the plan stands.

A table or a buffer of a network may end between the strips that it was measured with and the tiles of the plan; each block would fail on it::

    |................................|        the longest strip that was measured
    |................................|::::::| a tile of the plan, tried as a strip along each axis
                                         ^ the largest size, searched for by halves
"""

from __future__ import annotations

from dataclasses import replace

import torch

from pipeline.geometry.span import round_up
from pipeline.inspect.sizes.accepted import LONG, last
from pipeline.planning.planner import Opened
from pipeline.planning.types import Plan
from pipeline.runtime.device import PRECISIONS, out_of_memory

MEASURED = 384
"""Side of the squares that were measured, px."""
ACROSS = 32
"""Of a strip at the least, px."""


def limited(opened: Opened, plan: Plan) -> Opened | None:
    """What a plan is to be made from instead, where the network does not take the tiles of this one; None where it does.

    Parameters
    ----------
    opened
        What the plan was made from.
    plan
        That was made of it.
    """
    size, blended = plan.tiles.size, plan.tiles.halo is None
    enough = MEASURED if blended else LONG
    if opened.stored or opened.network.accepts.maximum is not None or size <= enough or _takes(opened, size, blended):
        return None
    multiple = opened.multiple
    low, high = _least(opened) // multiple, -(-size // multiple)
    most = multiple * last(lambda count: _takes(opened, count * multiple, blended), low, high)
    remark = f"the network fails on images of {size} px, and takes those of {most} px, which was found by trying: tiles are no larger"
    locality = replace(opened.locality, maximum=most, remarks=(remark, *opened.locality.remarks))
    return replace(opened, network=opened.network.upto(most), locality=locality)


def _least(opened: Opened) -> int:
    """A size that the network takes, px."""
    return round_up(max(opened.locality.minimum, opened.network.accepts.minimum, ACROSS), opened.multiple)


def _takes(opened: Opened, size: int, blended: bool) -> bool:
    across = _least(opened)
    shapes = ((size, size),) if blended else ((size, across), (across, size))
    return all(_runs(opened, *shape) for shape in shapes)


def _runs(opened: Opened, rows: int, cols: int) -> bool:
    device, dtype = opened.device, PRECISIONS[opened.precision]
    image = torch.zeros((1, opened.normalisation.channels, rows, cols), device=device)
    try:
        with torch.inference_mode(), torch.autocast(device.type, None if dtype is torch.float32 else dtype, enabled=dtype is not torch.float32):
            opened.network(image)
    except Exception as error:  # a network refuses a size with whatever its layers raise; tiles that do not fit a device are halved
        return out_of_memory(error)
    return True
