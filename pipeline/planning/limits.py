"""Tiles that are larger than all that a network was measured with are tried once before the plan stands.

A table or a buffer of a network may end between the strips that it was measured with and the tiles of the plan; each
block would fail on it::

    |................................|        the longest strip that was measured
    |................................|::::::| a tile of the plan, tried as a strip along each axis
                                         ^ the largest size, searched for by halves
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.geometry.span import round_up
from pipeline.inspect.sizes import LONG
from pipeline.planning.planner import PlanInputs
from pipeline.planning.types import Plan
from pipeline.runtime.device import autocast_dtype, out_of_memory, torch_device
from pipeline.runtime.record_files import recorded, torch_release

MEASURED_SIDE = 384
"""Side of the squares that were measured, px."""
STRIP_WIDTH = 32
"""Of a strip at the least, px."""
LIMIT_VERSION = 1
"""Raised when the trial changes, so that networks are tried again."""


def with_size_limit(inputs: PlanInputs, plan: Plan) -> PlanInputs | None:
    """What a plan is to be made from instead, where the network does not take the tiles of this one.

    None where it does.

    Parameters
    ----------
    inputs
        What the plan was made from.
    plan
        That was made of it.
    """
    size, blended = plan.tiles.size, plan.tiles.halo is None
    enough = MEASURED_SIDE if blended else LONG
    if inputs.stored or inputs.network.accepts.maximum is not None or size <= enough or _takes(inputs, size, blended):
        return None
    from pipeline.inspect.sizes.accepted import last

    multiple = inputs.multiple
    low, high = _smallest_size(inputs) // multiple, -(-size // multiple)
    maximum = multiple * last(lambda count: _takes(inputs, count * multiple, blended), low, high)
    remark = (
        f"the network fails on images of {size} px, and takes those of {maximum} px, which was found "
        f"by trying: tiles are no larger"
    )
    locality = replace(inputs.locality, maximum=maximum, remarks=(remark, *inputs.locality.remarks))
    return replace(inputs, network=inputs.network.with_maximum(maximum), locality=locality)


def _smallest_size(inputs: PlanInputs) -> int:
    """A size that the network takes, px."""
    return round_up(max(inputs.locality.minimum, inputs.network.accepts.minimum, STRIP_WIDTH), inputs.multiple)


def _takes(inputs: PlanInputs, size: int, blended: bool) -> bool:
    """Whether the network runs on tiles of a size; tiles that do not fit the device are halved, and are no limit.

    What the same network ran on, or refused, before is not tried again.
    """
    across = _smallest_size(inputs)
    shapes = ((size, size),) if blended else ((size, across), (across, size))
    computing = [torch_release(), inputs.device.type, inputs.precision, inputs.folded]
    key = [LIMIT_VERSION, inputs.network.identity(), *computing, inputs.normalisation.channels, shapes]
    try:
        return recorded("tile_size", key, lambda: all(_runs(inputs, *shape) for shape in shapes), bool, bool)
    except Exception as error:
        if out_of_memory(error):  # of this moment, so that nothing is recorded
            return True
        raise


def _runs(inputs: PlanInputs, rows: int, cols: int) -> bool:
    """Whether the network runs on an image of zeros; raises what its layers do where memory runs out."""
    import torch

    device, dtype = torch_device(inputs.device), autocast_dtype(inputs.precision)
    image = torch.zeros((1, inputs.normalisation.channels, rows, cols), device=device)
    try:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, None if dtype is torch.float32 else dtype, enabled=dtype is not torch.float32),
        ):
            inputs.network(image)
    except Exception as error:
        # a network refuses a size with whatever its layers raise
        if out_of_memory(error):
            raise
        return False
    return True
