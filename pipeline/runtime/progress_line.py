"""The figures of a run on one line: in full for logs, cut to the width of a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.runtime.block_rate import TimeLeft
from pipeline.runtime.resources import GIB, MIB

LIVE_INTERVAL_S = 1.0
"""Seconds between two states of what is shown live."""
MIN_BAR = 4
"""Characters; a bar without room for these is left out."""
MAX_BAR = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known of a stage of a run."""

    unit: str
    """What is counted: ``blocks``, ``blocks of overviews``; or what is done, where nothing is counted."""
    done: int = 0
    """Failed ones among them."""
    total: int = 0
    """0 where nothing is counted."""
    failed: int = 0
    speed: float | None = None
    """Mpx/s since the start; None where no pixels are counted."""
    left: TimeLeft | None = None
    resident: int | None = None
    """Bytes that the run holds on this machine; None where it runs elsewhere."""
    limit: int | None = None
    """Bytes that it may hold; None where no limit is known."""
    waits: str = ""
    """What is waited for, in words."""
    seconds: float = 0.0
    """Since the stage began."""

    @property
    def share(self) -> float:
        """Of what is counted, done, from 0 to 1."""
        return self.done / self.total if self.total else 0.0

    def parts(self) -> list[str]:
        """All of them, what matters most first."""
        counted = f"{self.done}/{self.total} {self.unit}" if self.total else self.unit
        parts = [
            counted,
            f"{self.failed} failed" if self.failed else "",
            "" if self.speed is None else f"{self.speed:.2f} Mpx/s",
            _eta(self.left) if self.total else duration(self.seconds),
            "" if self.resident is None else _memory(self.resident, self.limit),
            self.waits,
        ]
        return [part for part in parts if part]

    def line(self) -> str:
        """One line of a log."""
        return ", ".join(self.parts())

    def fitted(self, width: int) -> tuple[str, int, str]:
        """Text before a bar, the width of the bar (0 for none), and text after it; no wider than ``width`` together.

        Where there is no room, the bar goes first, then the parts from the last.
        """
        first, *rest = self.parts()
        while rest and len(first) + 2 + len(", ".join(rest)) > width:
            rest.pop()
        text = ", ".join(rest)
        room = min(width - len(first) - len(text) - 2, MAX_BAR)
        if self.total and room >= MIN_BAR:
            return first, room, text
        return ", ".join((first, *rest))[:width], 0, ""


def duration(seconds: float) -> str:
    """Seconds, minutes and hours as a person reads them."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def _eta(left: TimeLeft | None) -> str:
    """The time that is left with its spread, such as ``ETA 12–15 min``."""
    if left is None:
        return ""
    size, unit, digits = (
        (1, "s", 0) if left.high < 90 else (60, "min", 0) if left.high < 5400 else (3600, "h", left.high < 36_000)
    )
    low, high = (f"{seconds / size:.{int(digits)}f}" for seconds in (left.low, left.high))
    return f"ETA {'about ' if left.is_rough else ''}{high if low == high else f'{low}–{high}'} {unit}"


def _memory(resident: int, limit: int | None) -> str:
    """Bytes of a limit in one unit, such as ``3.1 of 8 GiB``."""
    size, unit = (GIB, "GiB") if max(resident, limit or 0) >= GIB else (MIB, "MiB")
    numbers = [f"{count / size:.{int(size == GIB)}f}".removesuffix(".0") for count in (resident, limit or 0)]
    return f"{numbers[0]} of {numbers[1]} {unit}" if limit else f"{numbers[0]} {unit}"
