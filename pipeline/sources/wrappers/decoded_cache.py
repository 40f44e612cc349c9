"""Decoded units that neighbouring blocks read as well: bounded, safe from many threads, each decoded by one of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.errors import ReadError
from pipeline.interfaces import Pixels

Unit = tuple[int, int]
"""(row, col) in the grid of units."""
Place = tuple[int, int, int]
"""(swath, row, col) of a block: places compare as blocks are read."""

LAG = 2
"""Rows of blocks after which a reader that did not come is not waited for."""


@dataclass(frozen=True, slots=True)
class Need:
    """Who else reads a unit."""

    left: int
    """Readers beside the one that asks."""
    next: Place
    """The next of them."""
    last: Place
    """The last of all."""


@dataclass(slots=True)
class Claim:
    """What becomes of the units that a reader asked for."""

    found: dict[Unit, Pixels] = field(default_factory=dict)
    """They are there."""
    mine: list[Unit] = field(default_factory=list)
    """The reader must decode them, and deliver or abandon each before it waits for others."""
    others: dict[Unit, Future[Pixels]] = field(default_factory=dict)
    """Somebody else is decoding them; the future fails with ReadError if that does."""


@dataclass(slots=True)
class _Wanted:
    """A unit that somebody is still to read."""

    left: int
    next: Place
    last: Place
    pixels: Pixels | None = None
    """None where there was no room for it."""

    @property
    def size(self) -> int:
        parts = (self.pixels.data, self.pixels.valid, self.pixels.causes) if self.pixels else ()
        return sum(part.nbytes for part in parts if part is not None)


class Held:
    """Units by place. The last reader of a unit takes it out.

    Where there are too many, those go first whose readers did not come, then those that are needed last: who dropped what was not
    asked for for longest would always drop what the next row of blocks begins with.
    """

    def __init__(self, room: int) -> None:
        """Hold so many bytes at most."""
        self._room, self._size = room, 0
        self._lock = threading.Lock()
        self._units: dict[Unit, _Wanted] = {}
        self._pending: dict[Unit, Future[Pixels]] = {}
        self._under_way: list[Place] = []

    @property
    def size(self) -> int:
        """Bytes held now."""
        return self._size

    @contextmanager
    def reading(self, place: Place) -> Iterator[None]:
        """A block is being read: who comes before all that are will not come any more."""
        with self._lock:
            self._under_way.append(place)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.remove(place)

    def claim(self, wanted: Mapping[Unit, Need]) -> Claim:
        """Ask for units; each is found, is being decoded by somebody else, or is the caller's to decode."""
        claim = Claim()
        with self._lock:
            self._forget()
            for unit, need in wanted.items():
                there = self._units.get(unit)
                if there is not None and there.pixels is not None:
                    claim.found[unit] = there.pixels
                    self._use(unit, need)
                elif unit in self._pending:
                    claim.others[unit] = self._pending[unit]
                else:
                    self._pending[unit] = Future()
                    claim.mine.append(unit)
        return claim

    def deliver(self, unit: Unit, pixels: Pixels, need: Need) -> None:
        """Hand a claimed unit to those who wait for it, and hold it for those who are still to come."""
        with self._lock:
            waiting = self._pending.pop(unit)
            there = self._units.setdefault(unit, _Wanted(need.left + 1, need.next, need.last))
            there.pixels = pixels
            self._size += there.size
            self._use(unit, need)
            while self._size > self._room:
                self._empty(self._least())
        waiting.set_result(pixels)

    def used(self, unit: Unit, need: Need) -> None:
        """One of those who waited for a unit has it."""
        with self._lock:
            if unit in self._units:
                self._use(unit, need)

    def abandon(self, units: Iterable[Unit]) -> None:
        """Give back claimed units that could not be decoded; whoever waits for one may try by himself."""
        for unit in units:
            with self._lock:
                waiting = self._pending.pop(unit, None)
            if waiting is not None:
                waiting.set_exception(ReadError("it could not be read for another block"))

    def _use(self, unit: Unit, need: Need) -> None:
        wanted = self._units[unit]
        wanted.left, wanted.next = wanted.left - 1, max(wanted.next, need.next)
        if wanted.left <= 0:
            self._empty(unit)
            del self._units[unit]

    def _least(self) -> Unit:
        """The unit that is worth least."""
        there = [unit for unit, wanted in self._units.items() if wanted.pixels is not None]
        oldest = min(there, key=lambda unit: self._units[unit].next)
        if self._under_way and self._units[oldest].next < min(self._under_way):
            return oldest
        return max(there, key=lambda unit: self._units[unit].next)

    def _forget(self) -> None:
        """Let go of what nobody will read any more, since some of its readers did not come; blocks may start a little out of order."""
        swath, row, _ = min(self._under_way, default=(0, 0, 0))
        if row < LAG:
            return
        for unit in [unit for unit, wanted in self._units.items() if wanted.last < (swath, row - LAG, 0)]:
            self._empty(unit)
            del self._units[unit]

    def _empty(self, unit: Unit) -> None:
        self._size -= self._units[unit].size
        self._units[unit].pixels = None
