"""What is wrong with a block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_LISTED_FAULTS = 20
"""Faults that are kept by name; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFault:
    """One block, or all of a level, that is not what it should be."""

    level: int
    """0 is the full resolution."""
    block: tuple[int, int] | None
    """(row, col) in the grid of blocks of that level; None for all of it."""
    why: str
    layer: str | None = None
    """The layer, where it is derived of others and has commit records of its own."""

    def __str__(self) -> str:
        level = "full resolution" if not self.level else f"overview {self.level}"
        place = f"block {self.block[0]},{self.block[1]}" if self.block else ""
        parts = (self.layer, level if self.level or not place else "", place)
        return f"{', '.join(part for part in parts if part)}: {self.why}"


@dataclass(slots=True)
class Faults:
    """What was found, in order; of very many the first ones are held."""

    count: int = 0
    first: list[StoreFault] = field(default_factory=list)
    _added: set[StoreFault] = field(default_factory=set)

    def add(self, level: int, block: tuple[int, int] | None, reason: str, layer: str | None = None) -> None:
        """Note a fault, once."""
        fault = StoreFault(level=level, block=block, why=reason, layer=layer)
        if fault in self._added:
            return
        self.count += 1
        if len(self.first) < MAX_LISTED_FAULTS:
            self.first.append(fault)
            self._added.add(fault)

    def __iter__(self) -> Iterator[StoreFault]:
        return iter(self.first)

    def summary(self, limit: int = 3) -> str:
        """The first few in words."""
        more = f"; and {self.count - limit} more" if self.count > limit else ""
        return "; ".join(str(fault) for fault in self.first[:limit]) + more
