"""What a run tells while it works: figures for people, or lines of JSON for machines, on stderr.

A command counts its stages one after the other: blocks, then those of overviews.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TextIO

from pipeline.privacy.concealed import concealed
from pipeline.runtime import log
from pipeline.runtime.block_rate import BlockRate, TimeLeft
from pipeline.runtime.device_time import longest_wait, recent_activity
from pipeline.runtime.progress_line import Figures, duration
from pipeline.runtime.progress_view import SilentView, View, view_of
from pipeline.runtime.tree_memory import TreeMemory

JSON_INTERVAL_S = 10.0
"""Seconds between lines of JSON."""
MAX_NAMED_FAILURES = 5
"""Failed blocks that are named as they fail; the report names all."""
BLOCK_UNIT, OVERVIEW_UNIT = "blocks", "blocks of overviews"


class Progress:
    """Progress of one command, on stderr."""

    def __init__(self, stream: TextIO | None = None, interval: float | None = None, quiet: bool = False) -> None:
        """Begin, with an interval between lines of a log, s; with ``quiet`` warnings alone are told."""
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._view: View = SilentView(self._stream) if quiet else self._make_view(interval)
        self._memory = TreeMemory()
        self._limit: int | None = None
        self._is_local, self._hanging = True, _no_reads
        self._device: dict[str, float] = {}
        self._previous_device: dict[str, float] = {}
        self._pixels = self._done = self._total = self._failed = 0
        self._unit = ""
        self._began = self._reported_at = time.monotonic()
        self._rate = BlockRate(self._began)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._view.close()

    def start(
        self,
        total: int,
        done: int,
        *,
        in_flight: int = 1,
        memory: int | None = None,
        is_local: bool = True,
        hanging: Callable[[], int] | None = None,
    ) -> None:
        """Begin with the blocks.

        Parameters
        ----------
        total, done
            Blocks, and how many of them are committed already.
        in_flight
            Blocks at once.
        memory
            Bytes that the run may hold.
        is_local
            Whether blocks are run by processes of this machine, whose memory can be looked at.
        hanging
            Tells how many reads hang.
        """
        self._limit, self._is_local, self._hanging = memory, is_local, hanging or _no_reads
        if done:
            self.say(f"{done} of {total} blocks are committed already", "resumed", done=done, total=total)
        self._begin(BLOCK_UNIT, total, done, in_flight)

    def advance(self, pixels: int, so_far: Callable[[], dict[str, float]]) -> None:
        """One block is done: its pixels, and what tells what the device did so far, as `Stalls.so_far` does."""
        self._done += 1
        self._pixels += pixels
        self._rate.add(time.monotonic())
        if self._is_due():
            self._previous_device, self._device = self._device, so_far()
            self._report()

    def failed(self, block: tuple[int, int], pixels: str, reason: str) -> None:
        """A block, (row, col), failed: its window, and why; the first few are named."""
        self._failed += 1
        if self._failed <= MAX_NAMED_FAILURES:
            self.say(f"block {block[0]},{block[1]} ({pixels}) failed: {reason}", level="warning")
        elif self._failed == MAX_NAMED_FAILURES + 1:
            self.say("more blocks fail; they are counted here and named in the report", level="warning")

    def overviews(self, done: int, total: int) -> None:
        """So many blocks of all overviews are made."""
        if self._unit != OVERVIEW_UNIT or total != self._total or done < self._done:  # of another layer
            self._begin(OVERVIEW_UNIT, total, done)
        self._done = done
        self._rate.add(time.monotonic())
        if self._is_due():
            self._report()

    def status(self, text: str) -> None:
        """What is done now, where nothing is counted, or only in these words."""
        if self._total or not self._unit:
            self._begin(text, 0, 0)
        self._unit = text
        if self._is_due():
            self._report()

    def say(self, line: str, event: str = "note", level: str = "info", **fields: Any) -> None:
        """A line of its own; machines are told the event, its level and its fields as well."""
        if event == "stage":
            self._view.close()
        if not self._quiet or _level(line, level) != "info":
            self._view.say(concealed(line))

    def note(self, event: str, level: str = "info", **fields: Any) -> None:
        """What is told to machines alone."""

    def figures(self) -> Figures:
        """What is known now; any thread may ask, and none is kept waiting."""
        now, is_blocks, left = time.monotonic(), self._unit == BLOCK_UNIT, self._total - self._done
        return Figures(
            unit=self._unit,
            done=self._done,
            total=self._total,
            failed=self._failed if is_blocks else 0,
            speed=self._pixels / max(now - self._began, 1e-9) / 1e6 if is_blocks and self._pixels else None,
            left=self._rate.time_left(left, now) if left else None,
            resident=self._memory.resident() if self._is_local else None,
            limit=self._limit,
            waits=self._waits(now) if left or not self._total else "",
            seconds=now - self._began,
        )

    def _waits(self, now: float) -> str:
        """What is waited for, in words."""
        hanging = self._hanging()
        if hanging:
            return f"waits for storage ({hanging} reads hang)"
        if self._total and self._rate.is_stalled(now):
            return f"no block for {duration(self._rate.idle(now))}"
        if self._unit != BLOCK_UNIT:
            return ""
        if self._view.is_brief:
            return f"waits for {self._brief_wait()}"
        return recent_activity(self._previous_device, self._device)

    def _brief_wait(self) -> str:
        return "storage" if self._hanging() else longest_wait(self._previous_device, self._device)

    def _begin(self, unit: str, total: int, done: int, in_flight: int = 1) -> None:
        self._view.close()
        self._unit, self._total, self._done = unit, total, done
        self._began = self._reported_at = time.monotonic()
        self._rate = BlockRate(self._began, in_flight)
        self._view.begin(self.figures)

    def _is_due(self) -> bool:
        is_due = time.monotonic() - self._reported_at >= self._view.interval
        if is_due:
            self._reported_at = time.monotonic()
        return is_due

    def _report(self) -> None:
        self._view.update()

    def _make_view(self, interval: float | None) -> View:
        return view_of(self._stream, interval)


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
        self.note(event, _level(line, level), message=line, **fields)

    def note(self, event: str, level: str = "info", **fields: Any) -> None:
        """An event."""
        if not (self._quiet and level == "info"):
            print(log.json_line(event, level, **fields), file=self._stream, flush=True)

    def failed(self, block: tuple[int, int], pixels: str, reason: str) -> None:
        """A block failed; each is told."""
        self._failed += 1
        self.note("block failed", "warning", block=list(block), pixels=pixels, why=reason)

    def _report(self) -> None:
        if self._unit == OVERVIEW_UNIT:
            self.note("overviews", done=self._done, total=self._total)
        elif self._unit == BLOCK_UNIT:
            self.note("blocks", **self._block_fields(self.figures()))
        else:
            self.note("note", message=self._unit)

    def _block_fields(self, figures: Figures) -> dict[str, Any]:
        passed = {kind: seconds - self._previous_device.get(kind, 0.0) for kind, seconds in self._device.items()}
        wall = max(sum(passed.values()), 1e-9)
        shares = {kind: round(max(seconds, 0.0) / wall, 3) for kind, seconds in passed.items()}
        left = figures.left or TimeLeft(0.0, 0.0, True)
        return {
            "done": self._done - self._failed,
            "failed": self._failed,
            "total": self._total,
            "mpx_per_s": round(figures.speed or 0.0, 3),
            "seconds_left": round(left.middle),
            "busy": shares.pop("busy", 0.0),
            "waits": shares,
            "seconds_left_low": round(left.low),
            "seconds_left_high": round(left.high),
            "waits_for": self._brief_wait(),
            "memory_resident": figures.resident,
            "memory_limit": figures.limit,
        }

    def _make_view(self, interval: float | None) -> View:
        view = SilentView(self._stream)
        view.interval = JSON_INTERVAL_S if interval is None else interval
        return view


def progress_as(log_format: str, quiet: bool = False) -> Progress:
    """Progress on stderr, as ``text`` or ``json``; with ``quiet`` errors and warnings alone."""
    return JsonProgress(quiet=quiet) if log_format == "json" else Progress(quiet=quiet)


def _level(line: str, level: str) -> str:
    """The level of a line; who is told lines alone marks a warning by its first word."""
    return "warning" if line.startswith("warning: ") else level


def _no_reads() -> int:
    return 0
