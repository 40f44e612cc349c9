"""A trace of a run in the trace event format (JSON array), which Perfetto and speedscope open.

One lane per thread that has blocks and one for the device, or for each of the streams of tiles that it computes at
once::

    device     |        | normalise · network · decode |   | …
    worker 1   | read · checksum · wait for device |             | write · commit |
    worker 2            | read · checksum · wait for device …

Written as blocks come back, never held. The format allows the closing bracket to lack, so that the trace of a killed
run opens as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.runtime.clock import ON_DEVICE, Interval, Sweep, Timing, now

TRACE_HEAD = b'[\n{"name": "process_name", "ph": "M", "args": {"name": "wholecloth"}, "pid": '
"""How each of our traces begins, and no other file."""
DISPLAY_NAMES = {"wait": "wait for device"}
"""Kinds of intervals that are called otherwise in a trace."""


class Trace:
    """A file that slices are added to; make one with `open_trace`."""

    def __init__(self, path: Path, file: FileIO) -> None:
        self._path, self._file = path, file
        self._zero = now()
        self._lanes: dict[tuple[int, str], int] = {}
        self._streams: dict[int, list[str]] = {}
        self._flight, self._sweep = 0, Sweep()
        self._fault: str | None = None
        self.begun = False

    def begin(self) -> None:
        """Empty the file and write its head; time counts from here."""
        self._file.seek(0)
        self._file.truncate()
        self._zero, self.begun = now(), True
        self._put(TRACE_HEAD + f'{os.getpid()}, "tid": 0}}'.encode())

    def add(self, timing: Timing) -> None:
        """The slices of one block."""
        self._sweep.add("block", timing.start, timing.stop)
        whole = Interval(timing.kind, timing.start, timing.stop)
        args = {"row": timing.block[0], "col": timing.block[1], **({"level": timing.level} if timing.level else {})}
        events: list[dict[str, Any]] = []
        for interval in (whole, *timing.intervals):
            lane = self._lane(
                timing.process, self._stream(timing) if interval.kind in ON_DEVICE else timing.lane, events
            )
            start, stop = self._microseconds(interval.start), self._microseconds(interval.stop)
            name = DISPLAY_NAMES.get(interval.kind, interval.kind)
            events.append(
                {
                    "name": name,
                    "cat": timing.kind,
                    "ph": "X",
                    "ts": start,
                    "dur": stop - start,
                    "pid": timing.process,
                    "tid": lane,
                    "args": args,
                }
            )
        self._write(events)

    def until(self, time: float) -> None:
        """Count the blocks in flight up to a time, s, before which nothing will come any more."""
        counts: list[dict[str, Any]] = []
        for event in self._sweep.until(time):
            self._flight += event.step
            counts.append(
                {
                    "name": "blocks in flight",
                    "ph": "C",
                    "ts": self._microseconds(event.time),
                    "pid": os.getpid(),
                    "args": {"blocks": self._flight},
                }
            )
        self._write(counts)

    def close(self) -> None:
        """End the file."""
        if self.begun:
            self.until(now())
            self._put(b"\n]\n")
        self._file.close()

    @property
    def summary(self) -> str:
        """Where it is, and whether all of it."""
        return f"{self._path}" + (f", which ends early ({self._fault})" if self._fault else "")

    def _microseconds(self, time: float) -> int:
        """Whole microseconds: rounded sums would let slices overlap."""
        return round((time - self._zero) * 1e6)

    def _stream(self, timing: Timing) -> str:
        """What the stream of a block is called."""
        streams = self._streams.setdefault(timing.process, [])
        if timing.stream not in streams:
            streams.append(timing.stream)
        number = streams.index(timing.stream)
        return f"device {number + 1}" if number else "device"

    def _lane(self, process: int, name: str, events: list[dict[str, Any]]) -> int:
        """Number of a lane; one that is new is named by an event. The device's first is 1."""
        if (process, "device") not in self._lanes:
            self._name(process, "device", "device", events)
        if (process, name) not in self._lanes:
            workers = 1 + sum(
                lane_process == process and not lane.startswith("device") for lane_process, lane in self._lanes
            )
            self._name(process, name, name if name.startswith("device") else f"worker {workers} ({name})", events)
        return self._lanes[process, name]

    def _name(self, process: int, name: str, label: str, events: list[dict[str, Any]]) -> None:
        lane = self._lanes[process, name] = 1 + sum(lane_process == process for lane_process, _ in self._lanes)
        where = {"ph": "M", "pid": process, "tid": lane}
        events += [
            {"name": "thread_name", "args": {"name": label}, **where},
            {"name": "thread_sort_index", "args": {"sort_index": lane}, **where},
        ]

    def _write(self, events: list[dict[str, Any]]) -> None:
        if events:
            self._put("".join(f",\n{json.dumps(event)}" for event in events).encode())

    def _put(self, text: bytes) -> None:
        """In one piece, so that a killed run leaves whole lines.

        A disk that is full ends the trace, which says so, and not the run.
        """
        if self._fault is None:
            try:
                if self._file.write(text) != len(text):
                    self._fault = "the disk is full"
            except OSError as error:
                self._fault = error.strerror


@contextmanager
def open_trace(path: Path | None) -> Iterator[Trace | None]:
    """A trace at a path, whole when the block ends, however it ends; None for none.

    Nothing is left where it was not begun.

    Raises
    ------
    ConfigError
        The file cannot be written, or holds something else than a trace of ours.
    """
    if path is None:
        yield None
        return
    existed = path.exists()
    trace = Trace(path, _open_file(path))
    try:
        yield trace
    finally:
        trace.close()
        if not (existed or trace.begun):
            path.unlink()


def _open_file(path: Path) -> FileIO:
    try:
        if not path.exists():
            return FileIO(path, "x")
        file = FileIO(path, "r+")
        head = file.read(len(TRACE_HEAD))
    except OSError as error:
        raise ConfigError(
            f"--profile is {path}, which cannot be written: {error.strerror}. Give a file in a folder that is there."
        ) from error
    if head not in (b"", TRACE_HEAD):
        file.close()
        raise ConfigError(
            f"--profile is {path}, which exists, is no trace of ours, and was left as it is. Give another file."
        )
    return file
