"""What is wrong with a block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

NAMED = 20
"""Faults that are kept by name; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One block, or all of a level, that is not what it should be."""

    level: int
    """0 is the full resolution."""
    block: tuple[int, int] | None
    """(row, col) in the grid of blocks of that level; None for all of it."""
    why: str

    def __str__(self) -> str:
        level = "full resolution" if not self.level else f"overview {self.level}"
        place = f"block {self.block[0]},{self.block[1]}" if self.block else ""
        return f"{', '.join(part for part in (level if self.level or not place else '', place) if part)}: {self.why}"


@dataclass(slots=True)
class Faults:
    """What was found, in order; of very many the first ones are held."""

    count: int = 0
    named: list[Fault] = field(default_factory=list)
    _seen: set[Fault] = field(default_factory=set)

    def add(self, level: int, block: tuple[int, int] | None, why: str) -> None:
        """Note a fault, once."""
        found = Fault(level=level, block=block, why=why)
        if found in self._seen:
            return
        self.count += 1
        if len(self.named) < NAMED:
            self.named.append(found)
            self._seen.add(found)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.named)

    def said(self, most: int = 3) -> str:
        """The first few in words."""
        more = f"; and {self.count - most} more" if self.count > most else ""
        return "; ".join(str(fault) for fault in self.named[:most]) + more
