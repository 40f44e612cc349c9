"""What every way to a device has in common."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from pipeline.interfaces import Pixels

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]


Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class DeviceBlock:
    """Pixels where they are computed with."""

    data: torch.Tensor
    """(bands, rows, cols), as they were read."""
    valid: torch.Tensor
    """(rows, cols) bool."""
    arrival: torch.cuda.Event | None = None
    """When they are all there; None where they are already."""

    @classmethod
    def of(cls, pixels: Pixels) -> DeviceBlock:
        """Pixels as they lie in the memory of the process."""
        import torch

        return cls(torch.from_numpy(pixels.data), torch.from_numpy(pixels.valid))


@dataclass(frozen=True, slots=True)
class GpuInterval:
    """From when to when a GPU computes what it was asked for; a CPU has computed it already."""

    begun: torch.cuda.Event | None = None
    done: torch.cuda.Event | None = None


class Transfer(Protocol):
    """The way to a device and back."""

    is_async: bool
    """Whether calls return before anything is computed, so that to look at a number is to wait."""

    def to_device(self, pixels: Pixels) -> DeviceBlock:
        """Bring the pixels of a block, without waiting until they are there. From any thread."""

    def compute_scope(self, raw: DeviceBlock) -> AbstractContextManager[GpuInterval]:
        """A context in which the device is asked to compute with what was brought. In the device's thread."""

    def to_host(self, tensors: Tensors, span: GpuInterval) -> Arrays:
        """Wait until they are computed, and fetch them. From any thread."""
