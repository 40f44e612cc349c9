"""A GPU computes in memory of its own, and copies in streams of their own from and to page-locked memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch

from pipeline.interfaces import Pixels
from pipeline.runtime.clock import muted, note, now
from pipeline.runtime.device import out_of_memory
from pipeline.runtime.transfer.base import Arrays, Raw, Span, Tensors


class Gpu:
    """A device with memory of its own."""

    ahead = True

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._up, self._down = torch.cuda.Stream(device), torch.cuda.Stream(device)
        self._roomy = True

    def up(self, pixels: Pixels) -> Raw:
        """Once the device had no room for a whole block, blocks stay here, and go there tile by tile: to look for room stops what computes."""
        here = Raw.of(pixels)
        if not self._roomy:
            return here
        try:
            with self._in(self._up):
                data, valid = (locked(part).copy_(part).to(self._device, non_blocking=True) for part in (here.data, here.valid))
                return Raw(data, valid, self._up.record_event())
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            self._roomy = False
            return here

    @contextmanager
    def computing(self, raw: Raw) -> Iterator[Span]:
        """How long the calls take says nothing of the device."""
        stream = torch.cuda.current_stream(self._device)
        if raw.arrived is not None:
            stream.wait_event(raw.arrived)
            for part in (raw.data, raw.valid):
                part.record_stream(stream)
        begun, done = (torch.cuda.Event(enable_timing=True, blocking=True) for _ in range(2))
        begun.record(stream)
        with muted():
            yield Span(begun, done)
        done.record(stream)

    def down(self, tensors: Tensors, span: Span) -> Arrays:
        """When it was computed is noted once it is known."""
        begun, done = cast(torch.cuda.Event, span.begun), cast(torch.cuda.Event, span.done)
        done.synchronize()
        stop = now()
        note("device", stop - begun.elapsed_time(done) / 1000, stop)
        fetched = torch.cuda.Event(blocking=True)
        with self._in(self._down):
            here = {name: locked(tensor).copy_(tensor, non_blocking=True) for name, tensor in tensors.items()}
            fetched.record(self._down)
        fetched.synchronize()
        return {name: tensor.numpy() for name, tensor in here.items()}

    @contextmanager
    def _in(self, stream: torch.cuda.Stream) -> Iterator[None]:
        """A stream of a device that need not be the current one; leaving the stream alone would wake the first GPU."""
        with torch.cuda.device(self._device), torch.cuda.stream(stream):
            yield


def locked(like: torch.Tensor) -> torch.Tensor:
    """Page-locked memory of the process; any memory where there is no more of it, from which copies are waited for."""
    try:
        return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return torch.empty(like.shape, dtype=like.dtype)
