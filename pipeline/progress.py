"""What a run tells while it works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from pipeline.timing.stalls import lately

INTERVAL_S = 10.0
"""Seconds between plain lines."""
BAR_S = 1.0
"""Seconds over which a bar says what the device did."""


class Progress:
    """Progress of the blocks of one run, on stderr."""

    def __init__(self, stream: TextIO | None = None, interval: float = INTERVAL_S) -> None:
        self._stream = stream or sys.stderr
        self._interval = interval
        self._device: dict[str, float] = {}
        self._wait = lately({}, {})
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

    def advance(self, pixels: int, so_far: Callable[[], dict[str, float]]) -> None:
        """One block is done: its pixels, and what tells what the device did so far, as `Stalls.so_far` does."""
        self._done += 1
        self._pixels += pixels
        due = time.monotonic() - self._said >= (self._interval if self._bar is None else BAR_S)
        if due:
            device = so_far()
            self._said, self._wait, self._device = time.monotonic(), lately(self._device, device), device
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, speed=f"{self.speed:.2f} Mpx/s", wait=self._wait)
        elif due:
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

    def line(self) -> str:
        """Blocks, speed, time left and what the device did since the last line, in words."""
        elapsed = time.monotonic() - self._began
        left = elapsed / max(self._done - self._first, 1) * (self._total - self._done)
        return f"{self._done}/{self._total} blocks, {self.speed:.2f} Mpx/s, {_duration(left)} left, {self._wait}"


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
