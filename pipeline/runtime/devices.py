"""What several devices did at once.

Each process that runs blocks has one, or several streams of tiles, and what is said of all is the mean.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.runtime.clock import Interval
from pipeline.runtime.device_time import DeviceAccount, DeviceTime


class DeviceAccounts:
    """The account of each device.

    One that comes late has waited for its first block until then, and one that is gone for its last.
    """

    def __init__(self, start: float) -> None:
        """Begin at a time, s."""
        self._start = start
        self._accounts: dict[tuple[int, str], DeviceAccount] = {}

    def __len__(self) -> int:
        """Events that are held."""
        return sum(map(len, self._accounts.values()))

    def add(self, process: int, intervals: Iterable[Interval], stream: str = "") -> None:
        """Some intervals of any block that was in a process, and in one of its streams if it reached any."""
        unassigned, account_key = (process, ""), (process, stream)
        if not stream:
            account_key = next((key for key in self._accounts if key[0] == process), unassigned)
        elif unassigned in self._accounts:
            self._accounts[account_key] = self._accounts.pop(unassigned)
        self._accounts.setdefault(account_key, DeviceAccount(self._start)).add(intervals)

    def until(self, time: float) -> None:
        """Go through to a time, s, before which nothing will come any more."""
        for account in self._accounts.values():
            account.until(time)

    def so_far(self) -> dict[str, float]:
        """Seconds of all devices together, as `Stalls.so_far` has them of one."""
        return _sum(account.so_far() for account in self._all())

    def finish(self, stop: float) -> DeviceTime:
        """The shares up to a time, s, when no block is in flight any more."""
        times = [account.finish(stop) for account in self._all()]
        mean = 1 / len(times)
        return DeviceTime(
            seconds=times[0].seconds,
            busy=mean * sum(time.busy for time in times),
            waits={kind: mean * share for kind, share in _sum(time.waits for time in times).items()},
            work={kind: mean * share for kind, share in _sum(time.work for time in times).items()},
        )

    def _all(self) -> list[DeviceAccount]:
        return list(self._accounts.values()) or [DeviceAccount(self._start)]


def _sum(totals: Iterable[dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in totals:
        for kind, value in part.items():
            total[kind] = total.get(kind, 0.0) + value
    return total
