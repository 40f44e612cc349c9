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
SweepPosition = tuple[int, int, int]
"""(swath, row, col) of a block: places compare as blocks are read."""

SKIPPED_AFTER_ROWS = 2
"""Rows of blocks after which a reader that did not come is not waited for."""


@dataclass(frozen=True, slots=True)
class RemainingReaders:
    """Who else reads a unit."""

    left: int
    """Readers beside the one that asks."""
    next: SweepPosition
    """The next of them."""
    last: SweepPosition
    """The last of all."""


@dataclass(slots=True)
class Lookup:
    """What becomes of the units that a reader asked for."""

    hits: dict[Unit, Pixels] = field(default_factory=dict)
    """They are there."""
    to_decode: list[Unit] = field(default_factory=list)
    """The reader must decode them, and deliver or abandon each before it waits for others."""
    pending: dict[Unit, Future[Pixels]] = field(default_factory=dict)
    """Somebody else is decoding them; the future fails with ReadError if that does."""


@dataclass(slots=True)
class _Entry:
    """A unit that somebody is still to read."""

    left: int
    next: SweepPosition
    last: SweepPosition
    pixels: Pixels | None = None
    """None where there was no room for it."""

    @property
    def size(self) -> int:
        parts = (self.pixels.data, self.pixels.valid, self.pixels.causes) if self.pixels else ()
        return sum(part.nbytes for part in parts if part is not None)


class DecodedCache:
    """Units by place. The last reader of a unit takes it out.

    Where there are too many, those go first whose readers did not come, then those that are needed last: who dropped
    what was not asked for for longest would always drop what the next row of blocks begins with.
    """

    def __init__(self, budget: int) -> None:
        """Hold so many bytes at most."""
        self._budget, self._size = budget, 0
        self._lock = threading.Lock()
        self._units: dict[Unit, _Entry] = {}
        self._pending: dict[Unit, Future[Pixels]] = {}
        self._under_way: list[SweepPosition] = []

    @property
    def size(self) -> int:
        """Bytes held now."""
        return self._size

    @contextmanager
    def reading(self, place: SweepPosition) -> Iterator[None]:
        """A block is being read: who comes before all that are will not come any more."""
        with self._lock:
            self._under_way.append(place)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.remove(place)

    def lookup(self, needs: Mapping[Unit, RemainingReaders]) -> Lookup:
        """Ask for units; each is found, is being decoded by somebody else, or is the caller's to decode."""
        result = Lookup()
        with self._lock:
            self._drop_passed()
            for unit, need in needs.items():
                entry = self._units.get(unit)
                if entry is not None and entry.pixels is not None:
                    result.hits[unit] = entry.pixels
                    self._use(unit, need)
                elif unit in self._pending:
                    result.pending[unit] = self._pending[unit]
                else:
                    self._pending[unit] = Future()
                    result.to_decode.append(unit)
        return result

    def put(self, unit: Unit, pixels: Pixels, need: RemainingReaders) -> None:
        """Hand a claimed unit to those who wait for it, and hold it for those who are still to come."""
        with self._lock:
            waiting = self._pending.pop(unit)
            entry = self._units.setdefault(unit, _Entry(need.left + 1, need.next, need.last))
            entry.pixels = pixels
            self._size += entry.size
            self._use(unit, need)
            while self._size > self._budget:
                self._empty(self._to_evict())
        waiting.set_result(pixels)

    def release(self, unit: Unit, need: RemainingReaders) -> None:
        """One of those who waited for a unit has it."""
        with self._lock:
            if unit in self._units:
                self._use(unit, need)

    def give_up(self, units: Iterable[Unit]) -> None:
        """Give back claimed units that could not be decoded; whoever waits for one may try by himself."""
        for unit in units:
            with self._lock:
                waiting = self._pending.pop(unit, None)
            if waiting is not None:
                waiting.set_exception(ReadError("it could not be read for another block"))

    def _use(self, unit: Unit, need: RemainingReaders) -> None:
        entry = self._units[unit]
        entry.left, entry.next = entry.left - 1, max(entry.next, need.next)
        if entry.left <= 0:
            self._empty(unit)
            del self._units[unit]

    def _to_evict(self) -> Unit:
        """The unit that is worth least."""
        candidates = [unit for unit, entry in self._units.items() if entry.pixels is not None]
        oldest = min(candidates, key=lambda unit: self._units[unit].next)
        if self._under_way and self._units[oldest].next < min(self._under_way):
            return oldest
        return max(candidates, key=lambda unit: self._units[unit].next)

    def _drop_passed(self) -> None:
        """Let go of what nobody will read any more, since some of its readers did not come.

        Blocks may start a little out of order.
        """
        swath, row, _ = min(self._under_way, default=(0, 0, 0))
        if row < SKIPPED_AFTER_ROWS:
            return
        for unit in [unit for unit, entry in self._units.items() if entry.last < (swath, row - SKIPPED_AFTER_ROWS, 0)]:
            self._empty(unit)
            del self._units[unit]

    def _empty(self, unit: Unit) -> None:
        self._size -= self._units[unit].size
        self._units[unit].pixels = None
