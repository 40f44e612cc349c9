"""Any source, with an end to patience.

Storage that hangs fails a read, and keeps neither a thread of the run nor the end of the process.

A read goes to a helper, a thread that nobody waits for at the end. What does not come in time is left to its helper,
and the next read gets another, up to a number of them; a helper whose read comes back after all is taken again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import cached_property
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from pipeline.errors import ReadHangs, Unfinished
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source
from pipeline.runtime.background import settle
from pipeline.sources.wrappers.wrapper import SourceWrapper

T = TypeVar("T")

MAX_HUNG_IN_A_ROW = 16
"""Reads that may hang with none between them that came: at a bad place the tries of up to four blocks do, of storage
that is away all."""
MAX_HUNG = 64
"""Reads that may hang at all: places that are bad, beside others that are not."""

_idle: list[_Helper] = []
_hanging: set[Future[Any]] = set()
_hung_in_a_row: set[Future[Any]] = set()
"""Of those, the ones since a read came in time."""


def hanging() -> int:
    """Reads of this process that were given up and have not come back."""
    return len(_hanging)


def with_timeout(open_: Callable[[], Source], seconds: float, description: str) -> Source:
    """Open a source that is read with so much patience.

    Parameters
    ----------
    open_
        Opens it.
    seconds
        After which it, or a read of it, is given up.
    description
        What it is called in messages.

    Raises
    ------
    Unfinished
        It is not open in time.
    """
    return TimeoutSource(source=_call(open_, seconds, description), seconds=seconds, description=description)


@dataclass(frozen=True, kw_only=True)
class TimeoutSource(SourceWrapper):
    """A source that is not waited for beyond measure. Pickles as this spec."""

    seconds: float
    """For each read."""
    description: str

    @cached_property
    def grid(self) -> Grid:
        """Size and georeference."""
        return self._call(lambda: self.source.grid)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the raw pixels."""
        return self._call(lambda: self.source.dtype)

    @cached_property
    def block(self) -> tuple[int, int]:
        """(rows, cols) of the file's own blocks, px."""
        return self._call(lambda: self.source.block)

    def identity(self) -> dict[str, Any]:
        """That of the source."""
        return self._call(self.source.identity)

    def read(self, window: Window) -> Pixels:
        """Read a window, which may reach beyond the raster.

        Raises
        ------
        ReadError
            It cannot be read, or not in time.
        Unfinished
            So many reads hang that the storage seems to be away.
        """
        if len(_hung_in_a_row) >= MAX_HUNG_IN_A_ROW or hanging() >= MAX_HUNG:
            raise Unfinished(
                f"{hanging()} reads of {self.description} hang: each had {self.seconds:g} s "
                f"(execution.read_timeout), and none came back. The storage seems to "
                "be away; run the same command again once it is there. Committed blocks are kept."
            )
        try:
            return _call_within(self.seconds, lambda: self.source.read(window))
        except _TimedOut as timed_out:
            raise ReadHangs(
                f"{self.description} cannot be read at {window}: it did not answer within {self.seconds:g} "
                f"s (execution.read_timeout)"
            ) from timed_out

    def _call(self, call: Callable[[], T]) -> T:
        return _call(call, self.seconds, self.description)


class _TimedOut(Exception):
    """It did not come in time."""


class _Helper:
    """A thread that does one thing after another."""

    def __init__(self) -> None:
        self._todo: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        threading.Thread(target=self._work, name="reader", daemon=True).start()

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Begin; whenever it ends, however late, the helper is free."""
        future: Future[T] = Future()
        future.add_done_callback(lambda _: _idle.append(self))
        self._todo.put((work, future))
        return future

    def _work(self) -> None:
        while True:
            settle(*self._todo.get())  # nothing of a read is held while the next is waited for


def _call_within(seconds: float, work: Callable[[], T]) -> T:
    """What a helper brings in time, or the error that it met. Raises _Late."""
    future = _helper().start(work)
    if wait([future], timeout=seconds).done:
        _hung_in_a_row.clear()
        return future.result()
    for hanging_ in (_hanging, _hung_in_a_row):
        hanging_.add(future)
        future.add_done_callback(hanging_.discard)
    raise _TimedOut


def _helper() -> _Helper:
    try:
        return _idle.pop()
    except IndexError:
        return _Helper()


def _call(call: Callable[[], T], seconds: float, description: str) -> T:
    """What a source says of itself. Raises Unfinished where it does not answer in time."""
    try:
        return _call_within(seconds, call)
    except _TimedOut as timed_out:
        raise Unfinished(
            f"{description} did not answer within {seconds:g} s (execution.read_timeout) when it was "
            f"opened. The storage seems to be away; "
            "run the same command again once it is there."
        ) from timed_out
