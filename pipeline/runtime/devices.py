"""What several devices did at once: each process that runs blocks has one, or several streams of tiles, and what is said of all is the mean."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.runtime.clock import Interval
from pipeline.runtime.device_time import DeviceTime, Stalls


class Devices:
    """The account of each; one that comes late has waited for its first block until then, and one that is gone for its last."""

    def __init__(self, start: float) -> None:
        """Begin at a time, s."""
        self._start = start
        self._each: dict[tuple[int, str], Stalls] = {}

    def __len__(self) -> int:
        """Events that are held."""
        return sum(map(len, self._each.values()))

    def add(self, process: int, intervals: Iterable[Interval], stream: str = "") -> None:
        """Some intervals of any block that was in a process, and in one of its streams if it reached any."""
        nowhere, mine = (process, ""), (process, stream)
        if not stream:
            mine = next((known for known in self._each if known[0] == process), nowhere)
        elif nowhere in self._each:
            self._each[mine] = self._each.pop(nowhere)
        self._each.setdefault(mine, Stalls(self._start)).add(intervals)

    def until(self, time: float) -> None:
        """Go through to a time, s, before which nothing will come any more."""
        for stalls in self._each.values():
            stalls.until(time)

    def so_far(self) -> dict[str, float]:
        """Seconds of all devices together, as `Stalls.so_far` has them of one."""
        return _sum(stalls.so_far() for stalls in self._all())

    def finish(self, stop: float) -> DeviceTime:
        """The shares up to a time, s, when no block is in flight any more."""
        found = [stalls.finish(stop) for stalls in self._all()]
        mean = 1 / len(found)
        return DeviceTime(
            seconds=found[0].seconds,
            busy=mean * sum(one.busy for one in found),
            waits={kind: mean * share for kind, share in _sum(one.waits for one in found).items()},
            work={kind: mean * share for kind, share in _sum(one.work for one in found).items()},
        )

    def _all(self) -> list[Stalls]:
        return list(self._each.values()) or [Stalls(self._start)]


def _sum(several: Iterable[dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for one in several:
        for kind, value in one.items():
            total[kind] = total.get(kind, 0.0) + value
    return total
