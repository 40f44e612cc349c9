"""A GPU that is not there.

What is copied to it or from it arrives only once a stream, or the process, has waited for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch

from pipeline.runtime.transfer import cuda as gpu

CPU = torch.device("cpu")


class Event:
    """Stands for all that its stream was asked for before it was recorded."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
        self.timed, self.over = enable_timing, False
        self._before: list[Callable[[], Any]] = []
        self._at = 0.0

    def record(self, stream: Stream) -> None:
        self._before, self._at = stream.asked[:], time.perf_counter()

    def synchronize(self) -> None:
        for copy in self._before:
            copy()
        self.over = True

    def elapsed_time(self, other: Event) -> float:
        """Milliseconds, of what is over and was to be timed."""
        assert self.timed
        assert other.timed
        assert other.over
        return 1000 * (other._at - self._at)


class Stream:
    def __init__(self, device: torch.device) -> None:
        self.asked: list[Callable[[], Any]] = []

    def record_event(self) -> Event:
        event = Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        event.synchronize()


class Late(gpu.CudaTransfer):
    """The bus of such a GPU, which computes on the CPU."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(CPU)


class _Locked:
    def __init__(self, like: torch.Tensor, stream: Stream) -> None:
        self._here, self._stream = torch.full_like(like, 7), stream

    def copy_(self, there: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
        self._stream.asked.append(lambda: self._here.copy_(there))
        return self._here


def install(patch: pytest.MonkeyPatch) -> None:
    """Let `gpu` find such a device."""
    computing = Stream(CPU)
    streams = [computing]

    @contextmanager
    def within(stream: Stream) -> Iterator[None]:
        streams.append(stream)
        yield
        streams.pop()

    cuda = {
        "Event": Event,
        "Stream": Stream,
        "stream": within,
        "current_stream": lambda device: computing,
        "device": lambda device: nullcontext(),
    }
    for name, fake in cuda.items():
        patch.setattr(torch.cuda, name, fake)
    patch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    patch.setattr(gpu, "pinned_like", lambda like: _Locked(like, streams[-1]))
