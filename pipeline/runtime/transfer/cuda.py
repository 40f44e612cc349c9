"""A GPU computes in memory of its own, and copies in streams of their own from and to page-locked memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from pipeline.interfaces import Pixels
from pipeline.runtime.backends.base import OUT_OF_MEMORY, ran_out
from pipeline.runtime.clock import note_interval, now, without_timing
from pipeline.runtime.transfer.base import Arrays, DeviceBlock, GpuInterval

if TYPE_CHECKING:
    import torch

    from pipeline.runtime.transfer.base import Tensors


MEMORY_ERRORS = (*OUT_OF_MEMORY["cpu"], *OUT_OF_MEMORY["cuda"])
"""Page-locked memory is the host's, so that either may run out."""


class CudaTransfer:
    """A device with memory of its own."""

    is_async = True

    def __init__(self, device: torch.device) -> None:
        import torch

        self._device = device
        self._upload_stream, self._download_stream = torch.cuda.Stream(device), torch.cuda.Stream(device)
        self._has_room = True

    def to_device(self, pixels: Pixels) -> DeviceBlock:
        """Once the device had no room for a whole block, blocks stay here, and go there tile by tile.

        To look for room stops what computes.
        """
        host_block = DeviceBlock.of(pixels)
        if not self._has_room:
            return host_block
        try:
            with self._in(self._upload_stream):
                data, valid = (
                    pinned_like(part).copy_(part).to(self._device, non_blocking=True)
                    for part in (host_block.data, host_block.valid)
                )
                return DeviceBlock(data, valid, self._upload_stream.record_event())
        except RuntimeError as error:
            if not ran_out(error, MEMORY_ERRORS):
                raise
            self._has_room = False
            return host_block

    @contextmanager
    def compute_scope(self, raw: DeviceBlock) -> Iterator[GpuInterval]:
        """How long the calls take says nothing of the device."""
        import torch

        stream = torch.cuda.current_stream(self._device)
        if raw.arrival is not None:
            stream.wait_event(raw.arrival)
            for part in (raw.data, raw.valid):
                part.record_stream(stream)
        begun, done = (torch.cuda.Event(enable_timing=True, blocking=True) for _ in range(2))
        begun.record(stream)
        with without_timing():
            yield GpuInterval(begun, done)
        done.record(stream)

    def to_host(self, tensors: Tensors, span: GpuInterval) -> Arrays:
        """When it was computed is noted once it is known."""
        import torch

        begun, done = cast(torch.cuda.Event, span.begun), cast(torch.cuda.Event, span.done)
        done.synchronize()
        stop = now()
        note_interval("device", stop - begun.elapsed_time(done) / 1000, stop)
        fetched = torch.cuda.Event(blocking=True)
        with self._in(self._download_stream):
            host_tensors = {
                name: pinned_like(tensor).copy_(tensor, non_blocking=True) for name, tensor in tensors.items()
            }
            fetched.record(self._download_stream)
        fetched.synchronize()
        return {name: tensor.numpy() for name, tensor in host_tensors.items()}

    @contextmanager
    def _in(self, stream: torch.cuda.Stream) -> Iterator[None]:
        """A stream of a device that need not be the current one; leaving the stream alone would wake the first GPU."""
        import torch

        with torch.cuda.device(self._device), torch.cuda.stream(stream):
            yield


def pinned_like(like: torch.Tensor) -> torch.Tensor:
    """Page-locked memory of the process; any memory where there is no more of it, from which copies are waited for."""
    import torch

    try:
        return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)
    except RuntimeError as error:
        if not ran_out(error, MEMORY_ERRORS):
            raise
        return torch.empty(like.shape, dtype=like.dtype)
