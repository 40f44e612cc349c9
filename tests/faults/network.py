"""A small network that can be held, or can run out of memory, once the store is there.

Until then it is only measured.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

from tests.faults.moments import HOLD


class First(torch.nn.Conv2d):
    """The first layer, where faults of the device show."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if Path(os.environ.get("FAULT_STORE", "")).suffix == ".zarr" and Path(os.environ["FAULT_STORE"]).exists():
            HOLD.here("inference")
            if "FAULT_LARGEST" in os.environ and x.shape[-1] * x.shape[-2] > int(os.environ["FAULT_LARGEST"]):
                raise torch.OutOfMemoryError("out of memory, as it is said here")
        return super().forward(x)


def make() -> torch.nn.Module:
    """Three bands in, four classes out; radius 2."""
    torch.manual_seed(7)
    return torch.nn.Sequential(First(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 3, padding=1))
