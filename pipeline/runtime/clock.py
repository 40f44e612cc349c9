"""When a block was where: intervals of one clock, whichever thread they are noted in.

A worker takes a block and opens a `Clock`; what it calls says ``with stage("read")``, without being handed the clock.
Where no clock runs, as when a store is verified, nothing is noted.
"""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, TypeVar

T = TypeVar("T")
_EPOCH = time.time() - time.perf_counter()
_thread_state = threading.local()

ON_DEVICE = frozenset({"load", "device", "normalise", "network", "decode"})
"""Kinds of intervals that pass in the device's thread."""
SUMMED = {
    "read": "read",
    "checksum": "read",
    "wait": "device",
    "load": "device",
    "device": "device",
    "write": "write",
    "commit": "write",
}
"""The stage that a kind of interval is part of; what is not named lies inside of one that is."""


def now() -> float:
    """Seconds since the epoch.

    Never goes back within a process; other processes of the machine have the same to about a millisecond.
    """
    return _EPOCH + time.perf_counter()


class Interval(NamedTuple):
    """From when to when a block was somewhere."""

    kind: str
    """``read``, ``checksum``, ``wait`` (for the device), ``load`` (of the network), ``device`` with ``normalise``,
    ``network`` and ``decode``
    inside it, ``write``, ``commit``."""
    start: float
    """Seconds, of `now`."""
    stop: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Where one block was, and when.

    Small, and travels between processes: times are those of `now`, which they share.
    """

    kind: str
    """``block``, or ``overview``."""
    block: tuple[int, int]
    """(row, col) in the grid of blocks, or of those of an overview."""
    level: int
    """0, or that of the overview."""
    process: int
    """Identity of the process."""
    lane: str
    """Name of the thread that had the block."""
    stream: str = ""
    """Name of the device's thread that inferred it."""
    start: float
    """When a worker took it, s."""
    stop: float
    """When the worker was done with it, s."""
    intervals: tuple[Interval, ...]
    """In the order in which they ended."""

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent in ``read``, ``device`` (waiting for it and computing) and ``write``."""
        total: dict[str, float] = {}
        for kind, start, stop in self.intervals:
            if kind in SUMMED:
                total[SUMMED[kind]] = total.get(SUMMED[kind], 0.0) + stop - start
        return total


class Clock:
    """Takes the times of one block, from when it is made."""

    __slots__ = ("_intervals", "_start", "stream")

    def __init__(self) -> None:
        self._start = now()
        self.stream = ""
        self._intervals: list[Interval] = []

    def add(self, kind: str, start: float, stop: float) -> None:
        """Note an interval, s of `now`."""
        self._intervals.append(Interval(kind, start, stop))

    @contextmanager
    def running(self) -> Iterator[None]:
        """What this thread does meanwhile is noted here."""
        previous = _running()
        _thread_state.clock = self
        try:
            yield
        finally:
            _thread_state.clock = previous

    def timing(self, kind: str, block: tuple[int, int], level: int = 0) -> Timing:
        """All that was noted until now, by the thread that had the block."""
        return Timing(
            kind=kind,
            block=block,
            level=level,
            process=os.getpid(),
            lane=threading.current_thread().name,
            stream=self.stream,
            start=self._start,
            stop=now(),
            intervals=tuple(self._intervals),
        )


class _Stage:
    __slots__ = ("_kind", "_start")

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        self._start = now()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        note_interval(self._kind, self._start, now())


def note_interval(kind: str, start: float, stop: float) -> None:
    """Note an interval, s of `now`, on the clock that runs in this thread, if one does."""
    clock = _running()
    if clock is not None:
        clock.add(kind, start, stop)


def timed_stage(kind: str) -> AbstractContextManager[None]:
    """Note how long the block inside takes, on the clock that runs in this thread, if one does."""
    return _Stage(kind)


def on_callers_clock(work: Callable[[], T]) -> Callable[[], T]:
    """The same work for another thread, on this thread's clock; until it begins there, the block waits."""
    clock, requested_at = _running(), now()
    if clock is None:
        return work

    def timed_work() -> T:
        clock.add("wait", requested_at, now())
        clock.stream = threading.current_thread().name
        with clock.running():
            return work()

    return timed_work


@contextmanager
def without_timing() -> Iterator[None]:
    """What this thread does meanwhile is noted nowhere."""
    previous = _running()
    _thread_state.clock = None
    try:
        yield
    finally:
        _thread_state.clock = previous


def _running() -> Clock | None:
    return getattr(_thread_state, "clock", None)


class Event(NamedTuple):
    """An interval begins or ends."""

    time: float
    """Seconds."""
    step: int
    """1 where it begins, -1 where it ends."""
    kind: str


class Sweep:
    """Holds only what lies after the time it was gone through to."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def __len__(self) -> int:
        """Events that are held."""
        return len(self._events)

    def add(self, kind: str, start: float, stop: float) -> None:
        """An interval, s."""
        heapq.heappush(self._events, Event(start, 1, kind))
        heapq.heappush(self._events, Event(stop, -1, kind))

    def until(self, time: float) -> Iterator[Event]:
        """What happens up to a time, s, in order.

        What is added later and lies before it comes next, as late as it is.
        """
        while self._events and self._events[0].time <= time:
            yield heapq.heappop(self._events)

    def peek_until(self, time: float) -> list[Event]:
        """What is known by now to happen up to a time, s, in order; it stays."""
        return sorted(event for event in self._events if event.time <= time)
