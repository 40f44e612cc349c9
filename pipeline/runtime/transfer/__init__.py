"""How a block's pixels get to the device, and its layers back, beside the device's computing.

A block is brought and fetched by its worker, while the device's thread has asked for the next ones already::

    up         | block 2 |          | block 3 |
    computing  |    block 1    |    block 2    |    block 3 …
    down                       | 1 |           | 2 |
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy.typing as npt
import torch

from pipeline.runtime.transfer.base import Bus
from pipeline.runtime.transfer.cuda import Gpu, locked
from pipeline.runtime.transfer.shared import Shared


@lru_cache
def bus(device: torch.device) -> Bus:
    """The way to a device, one in each process."""
    return Gpu(device) if device.type == "cuda" else Shared()


def put(values: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """Bring a few numbers to the device in the order of its computing, without waiting for what it was asked for before."""
    here = torch.from_numpy(values)
    return (locked(here).copy_(here) if device.type == "cuda" else here).to(device, non_blocking=True)
