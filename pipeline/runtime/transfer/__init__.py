"""How a block's pixels get to the device, and its layers back, beside the device's computing.

A block is brought and fetched by its worker, while the device's thread has asked for the next ones already::

    up         | block 2 |          | block 3 |
    computing  |    block 1    |    block 2    |    block 3 …
    down                       | 1 |           | 2 |
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from pipeline.runtime.backends import backend_of
from pipeline.runtime.transfer.base import Transfer
from pipeline.runtime.transfer.cuda import pinned_like

if TYPE_CHECKING:
    import torch


@lru_cache
def transfer_for(device: torch.device) -> Transfer:
    """The way to a device, one in each process."""
    return backend_of(device).transfer(device)


def small_to_device(values: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """Bring a few numbers to the device in the order of its computing.

    The call does not wait for what the device was asked for before.
    """
    import torch

    tensor = torch.from_numpy(values)
    return (pinned_like(tensor).copy_(tensor) if backend_of(device).page_locked else tensor).to(
        device, non_blocking=True
    )
