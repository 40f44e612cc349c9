"""What a run tells while it works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

INTERVAL_S = 10.0
"""Seconds between plain lines."""


class Progress:
    """Progress of the blocks of one run, on stderr."""

    def __init__(self, stream: TextIO | None = None, interval: float = INTERVAL_S) -> None:
        self._stream = stream or sys.stderr
        self._interval = interval
        self._waits: dict[str, float] = {}
        self._pixels = self._done = self._total = self._first = 0
        self._began = self._said = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, total: int, done: int) -> None:
        """Begin, with so many blocks of which so many are committed already."""
        self._total, self._done, self._first = total, done, done
        self._began = self._said = time.monotonic()
        if done:
            self.say(f"{done} of {total} blocks are committed already")
        if self._stream.isatty():
            columns = (
                TextColumn("blocks"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[wait]}"),
            )
            self._bar = Bar(*columns, console=Console(file=self._stream))
            self._task = self._bar.add_task("blocks", total=total, completed=done, speed="", wait="")
            self._bar.start()

    def advance(self, pixels: int, waits: dict[str, float]) -> None:
        """One block is done: its pixels, and the seconds it spent in each stage."""
        self._done += 1
        self._pixels += pixels
        for stage, seconds in waits.items():
            self._waits[stage] = self._waits.get(stage, 0.0) + seconds
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, speed=f"{self.speed:.2f} Mpx/s", wait=f"waits for {self.waits_for}")
        elif time.monotonic() - self._said >= self._interval:
            self._said = time.monotonic()
            self.say(self.line())

    def say(self, line: str) -> None:
        """A line of its own."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False, soft_wrap=True)
        else:
            print(line, file=self._stream, flush=True)

    @property
    def speed(self) -> float:
        """Mpx/s since the start."""
        return self._pixels / max(time.monotonic() - self._began, 1e-9) / 1e6

    @property
    def waits_for(self) -> str:
        """The stage that blocks spend most time in."""
        return max(self._waits, key=self._waits.__getitem__) if self._waits else "the first block"

    def line(self) -> str:
        """Blocks, speed, time left and what is waited for, in words."""
        elapsed = time.monotonic() - self._began
        left = elapsed / max(self._done - self._first, 1) * (self._total - self._done)
        return f"{self._done}/{self._total} blocks, {self.speed:.2f} Mpx/s, {_duration(left)} left, waits for {self.waits_for}"


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
