"""What a run tells while it works: a bar on a terminal, plain lines elsewhere, or lines of JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from pipeline.runtime import log
from pipeline.runtime.device_time import recent_activity

LINE_INTERVAL_S = 10.0
"""Seconds between plain lines."""
BAR_S = 1.0
"""Seconds over which a bar says what the device did."""
MAX_NAMED_FAILURES = 5
"""Failed blocks that are named as they fail; the report names all."""


class Progress:
    """Progress of the blocks of one run, on stderr."""

    def __init__(self, stream: TextIO | None = None, interval: float = LINE_INTERVAL_S) -> None:
        self._stream = stream or sys.stderr
        self._interval = interval
        self._device: dict[str, float] = {}
        self._previous_device: dict[str, float] = {}
        self._wait = recent_activity({}, {})
        self._pixels = self._done = self._total = self._first = self._failed = 0
        self._began = self._reported_at = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, total: int, done: int) -> None:
        """Begin, with so many blocks of which so many are committed already."""
        self._total, self._done, self._first = total, done, done
        self._began = self._reported_at = time.monotonic()
        if done:
            self.say(f"{done} of {total} blocks are committed already", "resumed", done=done, total=total)
        if self._draws():
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
        is_due = time.monotonic() - self._reported_at >= (self._interval if self._bar is None else BAR_S)
        if is_due:
            self._previous_device, self._device = self._device, so_far()
            self._reported_at, self._wait = time.monotonic(), recent_activity(self._previous_device, self._device)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, speed=f"{self.speed:.2f} Mpx/s", wait=self._wait)
        elif is_due:
            self._report()

    def failed(self, block: tuple[int, int], pixels: str, reason: str) -> None:
        """A block, (row, col), failed: its window, and why; the first few are named."""
        self._failed += 1
        if self._failed <= MAX_NAMED_FAILURES:
            self.say(f"block {block[0]},{block[1]} ({pixels}) failed: {reason}")
        elif self._failed == MAX_NAMED_FAILURES + 1:
            self.say("more blocks fail; they are counted here and named in the report")

    def overviews(self, done: int, total: int) -> None:
        """So many blocks of all overviews are made; told to machines alone."""

    def say(self, line: str, event: str = "note", level: str = "info", **fields: Any) -> None:
        """A line of its own; machines are told the event, its level and its fields as well."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False, soft_wrap=True)
        else:
            print(line, file=self._stream, flush=True)

    def note(self, event: str, level: str = "info", **fields: Any) -> None:
        """What is told to machines alone."""

    @property
    def speed(self) -> float:
        """Mpx/s since the start."""
        return self._pixels / max(time.monotonic() - self._began, 1e-9) / 1e6

    @property
    def left(self) -> float:
        """Seconds until all blocks are done, if they go on like this."""
        elapsed = time.monotonic() - self._began
        return elapsed / max(self._done - self._first, 1) * (self._total - self._done)

    def line(self) -> str:
        """Blocks, speed, time left and what the device did since the last line, in words."""
        failed = f"{self._failed} failed, " if self._failed else ""
        return (
            f"{self._done}/{self._total} blocks, {failed}{self.speed:.2f} Mpx/s, {_duration(self.left)} "
            f"left, {self._wait}"
        )

    def _report(self) -> None:
        self.say(self.line())

    def _draws(self) -> bool:
        return self._stream.isatty()


class JsonProgress(Progress):
    """The same for machines: each line is a JSON object, what libraries log and warn of among them."""

    def __enter__(self) -> Self:
        self._captured = ExitStack()
        self._captured.enter_context(log.captured(self._stream))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._captured.close()

    def say(self, line: str, event: str = "note", level: str = "info", **fields: Any) -> None:
        """A line, as the message of an event."""
        self.note(event, level, message=line, **fields)

    def note(self, event: str, level: str = "info", **fields: Any) -> None:
        """An event."""
        print(log.json_line(event, level, **fields), file=self._stream, flush=True)

    def failed(self, block: tuple[int, int], pixels: str, reason: str) -> None:
        """A block failed; each is told."""
        self._failed += 1
        self.note("block failed", "warning", block=list(block), pixels=pixels, why=reason)

    def overviews(self, done: int, total: int) -> None:
        """So many blocks of all overviews are made; told as often as blocks are."""
        if time.monotonic() - self._reported_at >= self._interval:
            self._reported_at = time.monotonic()
            self.note("overviews", done=done, total=total)

    def _report(self) -> None:
        passed = {kind: seconds - self._previous_device.get(kind, 0.0) for kind, seconds in self._device.items()}
        wall = max(sum(passed.values()), 1e-9)
        shares = {kind: round(max(seconds, 0.0) / wall, 3) for kind, seconds in passed.items()}
        self.note(
            "blocks",
            done=self._done - self._failed,
            failed=self._failed,
            total=self._total,
            mpx_per_s=round(self.speed, 3),
            seconds_left=round(self.left),
            busy=shares.pop("busy", 0.0),
            waits=shares,
        )

    def _draws(self) -> bool:
        return False


def progress_as(log_format: str) -> Progress:
    """Progress on stderr, as ``text`` or ``json``."""
    return JsonProgress() if log_format == "json" else Progress()


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
