"""What every way to a device has in common."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt
import torch

from pipeline.interfaces import Pixels

Arrays = dict[str, npt.NDArray[Any]]
Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Raw:
    """Pixels where they are computed with."""

    data: torch.Tensor
    """(bands, rows, cols), as they were read."""
    valid: torch.Tensor
    """(rows, cols) bool."""
    arrived: torch.cuda.Event | None = None
    """When they are all there; None where they are already."""

    @classmethod
    def of(cls, pixels: Pixels) -> Raw:
        """Pixels as they lie in the memory of the process."""
        return cls(torch.from_numpy(pixels.data), torch.from_numpy(pixels.valid))


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a GPU computes what it was asked for; a CPU has computed it already."""

    begun: torch.cuda.Event | None = None
    done: torch.cuda.Event | None = None


class Bus(Protocol):
    """The way to a device and back."""

    ahead: bool
    """Whether calls return before anything is computed, so that to look at a number is to wait."""

    def up(self, pixels: Pixels) -> Raw:
        """Bring the pixels of a block, without waiting until they are there. From any thread."""

    def computing(self, raw: Raw) -> AbstractContextManager[Span]:
        """A context in which the device is asked to compute with what was brought. In the device's thread."""

    def down(self, tensors: Tensors, span: Span) -> Arrays:
        """Wait until they are computed, and fetch them. From any thread."""
