"""An engine that is watched: which blocks are out, where they were, and so what the device waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from pipeline.interfaces import Engine
from pipeline.runtime.clock import Timing, now
from pipeline.runtime.devices import DeviceAccounts
from pipeline.runtime.trace import Trace

MAX_OVERTAKING_BLOCKS = 4096
"""Blocks that may come back before one that was handed out earlier.

After that it is not waited for, lest what is held grows with the blocks.
"""


class Timed(Protocol):
    """What a task of the engine says of a block."""

    @property
    def index(self) -> Any:
        """The block, as it was handed out."""

    @property
    def timing(self) -> Timing:
        """Where it was, and when."""


class TimedEngine:
    """Runs blocks as its engine does.

    A block can have been nowhere before it was handed out, so that everything before the oldest one that is still out
    is known, and is added up and forgotten.
    """

    def __init__(self, engine: Engine, trace: Trace | None = None) -> None:
        """Begin now; all blocks also go to a trace, if one is given."""
        self._engine, self._trace = engine, trace
        self._out: dict[Any, tuple[float, int]] = {}
        self._returned_count = 0
        self.accounts = DeviceAccounts(now())

    def __call__(self, work: Callable[[Any], Timed], items: Iterable[Any]) -> Iterator[Any]:
        """Yield the results as they come, in any order."""
        for result in self._engine(work, self._hand_out(items)):
            self._note(result)
            yield result

    def _hand_out(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._out[item] = now(), self._returned_count
            yield item

    def _note(self, result: Timed) -> None:
        self._out.pop(result.index, None)
        self._returned_count += 1
        complete_until = self._complete_until()
        self.accounts.add(result.timing.process, result.timing.intervals, result.timing.stream)
        self.accounts.until(complete_until)
        if self._trace is not None:
            self._trace.add(result.timing)
            self._trace.until(complete_until)

    def _complete_until(self) -> float:
        """The time, s, before which nothing will be heard of any more."""
        while self._out:
            item, (time, returned_count) = next(iter(self._out.items()))
            if self._returned_count - returned_count <= MAX_OVERTAKING_BLOCKS:
                return time
            del self._out[item]
        return now()
