"""What the device did, and what it waited for while it did nothing, from the intervals of all blocks.

At any time the device works, or waits for the first of these that holds::

    start      no block has reached it yet
    end        no block will reach it any more
    schedule   a block is ready, and nobody has begun with it
    read       a block is being read
    write      those in flight are all being written
    schedule   none is in flight: the engine has not handed any over

A block that is read, queued or written while the device works is no stall. In a run of which no block reaches the
device there is neither start nor end.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

from pipeline.runtime.clock import Event, Interval, Sweep

WAITS = ("start", "read", "write", "schedule", "end")
PARTS = ("normalise", "network", "decode")
"""Kinds of intervals inside the device's."""
_STATE = {"read": "read", "checksum": "read", "wait": "queue", "device": "device", "write": "write", "commit": "write"}
_WAIT_LABELS = {
    "start": "the first block",
    "read": "reading",
    "write": "writing",
    "schedule": "scheduling",
    "end": "the last block",
}
_PARTS = {"normalise": "normalising", "network": "network", "decode": "decoding", "other": "other"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTime:
    """Shares of the wall time of the blocks; ``busy`` and ``waits`` add up to 1."""

    seconds: float
    """Wall time."""
    busy: float
    """While the device worked: on a tile, from raw pixels to the bytes of its layers."""
    waits: dict[str, float]
    """While it did nothing, by what it waited for: `WAITS`."""
    work: dict[str, float]
    """Of ``busy``: ``normalise``, ``network``, ``decode`` and ``other`` (blending, checks), by the wall time of the
    calls; all of it is ``other`` on a GPU,
    which is asked and not waited for."""


class _Account:
    """Seconds by what the device did, gone through by time."""

    def __init__(self, start: float) -> None:
        self.time = start
        self.began = False
        self.total = dict.fromkeys(("busy", *WAITS), 0.0)
        self._open = dict.fromkeys(_STATE.values(), 0)
        self._pending = dict.fromkeys(("read", "write", "schedule"), 0.0)

    def go(self, events: Iterable[Event], time: float) -> None:
        """On through some events to a time, s."""
        for event in events:
            self._pass(event.time)
            self._open[event.kind] += event.step
        self._pass(time)

    def settle(self, kind: str | None = None) -> None:
        """Waits since the device worked last: they belong to what was waited for only once the device works again."""
        for waited, seconds in self._pending.items():
            self.total[kind or waited] += seconds
            self._pending[waited] = 0.0

    def _pass(self, time: float) -> None:
        passed = time - self.time
        if passed <= 0:
            return
        self.time = time
        if self._open["device"]:
            self.settle(None if self.began else "start")
            self.began = True
            self.total["busy"] += passed
        else:
            self._pending[self._waits_for()] += passed

    def _waits_for(self) -> str:
        if self._open["queue"]:
            return "schedule"
        return "read" if self._open["read"] else "write" if self._open["write"] else "schedule"


class DeviceAccount:
    """Adds up intervals of blocks as they come in, for one device.

    What it holds grows with the blocks in flight, not with all blocks.
    """

    def __init__(self, start: float) -> None:
        """Begin at a time, s."""
        self._start = self._reached = start
        self._sweep, self._account = Sweep(), _Account(start)
        self._work = dict.fromkeys(PARTS, 0.0)

    def __len__(self) -> int:
        """Events that are held."""
        return len(self._sweep)

    def add(self, intervals: Iterable[Interval]) -> None:
        """Some intervals of any block; what lies before the time that was gone through to is left out."""
        for kind, start, stop in intervals:
            state = _STATE.get(kind)
            if state is not None:
                self._sweep.add(state, start, stop)
                self._reached = max(self._reached, stop) if state == "device" else self._reached
            elif kind in self._work:
                self._work[kind] += stop - start

    def until(self, time: float) -> None:
        """Go through to a time, s, before which nothing will come any more."""
        self._account.go(self._sweep.until(time), time)

    def so_far(self) -> dict[str, float]:
        """Seconds ``busy`` and of each of `WAITS` until the device was last seen to work.

        They are as well known as can be before all blocks are back.
        """
        account = deepcopy(self._account)
        account.go(self._sweep.peek_until(self._reached), self._reached)
        account.settle()
        return account.total

    def finish(self, stop: float) -> DeviceTime:
        """The shares up to a time, s, that nothing was gone through beyond, when no block is in flight any more."""
        self.until(stop)
        self._account.settle("end" if self._account.began else None)
        wall = max(stop - self._start, 1e-9)
        share = {kind: seconds / wall for kind, seconds in self._account.total.items()}
        busy = share.pop("busy")
        work = {kind: seconds / wall for kind, seconds in self._work.items()}
        return DeviceTime(
            seconds=stop - self._start,
            busy=busy,
            waits=share,
            work={**work, "other": max(busy - sum(work.values()), 0.0)},
        )


def device_summary(times: DeviceTime, parts: bool) -> str:
    """One line: how busy the device was, with what where ``parts`` mean anything, and what it waited for.

    What is below half a per cent is left out.
    """
    inside = _listed(times.work, _PARTS) if parts else ""
    waited = _listed(times.waits, _WAIT_LABELS)
    return (
        f"busy {times.busy:.0%} of {times.seconds:.1f} "
        f"s{f' ({inside})' if inside else ''}{f'; waited for {waited}' if waited else ''}"
    ).replace("%", " %")


def recent_activity(earlier: dict[str, float], later: dict[str, float]) -> str:
    """What the device did between two states of `Stalls.so_far`: how busy it was, and what it waited for most."""
    passed = {kind: seconds - earlier.get(kind, 0.0) for kind, seconds in later.items()}
    wall = sum(passed.values())
    if not later.get("busy") or wall <= 0:
        return f"waits for {_WAIT_LABELS['start']}"
    longest = max(WAITS, key=passed.__getitem__)
    waits = f", waits for {_WAIT_LABELS[longest]}" if passed[longest] > 0.005 * wall else ""
    return f"device busy {max(passed['busy'], 0.0) / wall:.0%}{waits}".replace("%", " %")


def longest_wait(earlier: dict[str, float], later: dict[str, float]) -> str:
    """What took most of the time between two states of `Stalls.so_far`: the network, or what the device waited for."""
    passed = {kind: seconds - earlier.get(kind, 0.0) for kind, seconds in later.items()}
    if not later.get("busy") or sum(passed.values()) <= 0:
        return _WAIT_LABELS["start"]
    longest = max(passed, key=passed.__getitem__)
    return _WAIT_LABELS.get(longest, "the network")


def _listed(fractions: dict[str, float], names: dict[str, str]) -> str:
    large = sorted(
        (kind for kind, share in fractions.items() if share >= 0.005), key=fractions.__getitem__, reverse=True
    )
    return ", ".join(f"{names[kind]} {fractions[kind]:.0%}" for kind in large)
