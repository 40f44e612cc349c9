"""A CPU computes where the pixels are: nothing is copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.interfaces import Pixels
from pipeline.runtime.clock import timed_stage
from pipeline.runtime.transfer.base import Arrays, DeviceBlock, GpuInterval

if TYPE_CHECKING:
    from pipeline.runtime.transfer.base import Tensors


class HostTransfer:
    """A device that computes in the memory of the process."""

    is_async = False

    def to_device(self, pixels: Pixels) -> DeviceBlock:
        """They are there."""
        return DeviceBlock.of(pixels)

    @contextmanager
    def compute_scope(self, raw: DeviceBlock) -> Iterator[GpuInterval]:
        """They take as long as the device does."""
        with timed_stage("device"):
            yield GpuInterval()

    def to_host(self, tensors: Tensors, span: GpuInterval) -> Arrays:
        """The same memory."""
        return {name: tensor.numpy() for name, tensor in tensors.items()}
