"""Intervals that come in any order, gone through by time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple


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
        """What happens up to a time, s, in order. What is added later and lies before it comes next, as late as it is."""
        while self._events and self._events[0].time <= time:
            yield heapq.heappop(self._events)

    def peek_until(self, time: float) -> list[Event]:
        """What is known by now to happen up to a time, s, in order; it stays."""
        return sorted(event for event in self._events if event.time <= time)
