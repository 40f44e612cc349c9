"""Short items in longer tasks.

A task takes item after item for a while, so that what the scheduler spends on a task is a small share of it.

What is worked with stays in this process, and is the same object for every item: files that one item opened are open
for the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, islice
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

SHIFT_S = 0.5
"""Seconds after which a task takes no further item; one that lasts longer is a task of its own."""

NO_MORE_ITEMS = object()
"""In place of an item: there will be none."""

_numbers = count()
_queues: dict[int, WorkQueue] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEvent:
    """What a thread tells the one that hands out items: the end of an item, or of a task."""

    value: Any = None
    error: BaseException | None = None
    task: Any = None


@dataclass(slots=True, eq=False)
class WorkQueue:
    """Items on their way to the threads of this process and results on their way back."""

    work: Callable[[Any], Any]
    number: int = field(default_factory=_numbers.__next__)
    """By which a task, which must pickle, finds it."""
    todo: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    events: SimpleQueue[QueueEvent] = field(default_factory=SimpleQueue)
    tasks: set[Any] = field(default_factory=set)
    """Futures of those that have not ended."""
    closed: bool = False

    def __enter__(self) -> Self:
        _queues[self.number] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Items that nobody began are not begun any more, and who waits for one goes home."""
        del _queues[self.number]
        self.close(len(self.tasks))

    def close(self, tasks: int) -> None:
        """End so many tasks, each after its item; items that nobody began are dropped. The first call counts."""
        if self.closed:
            return
        self.closed = True
        with suppress(Empty):
            while True:
                self.todo.get_nowait()
        for _ in range(tasks):
            self.todo.put(NO_MORE_ITEMS)

    def results(self, submit: Callable[..., Any] | None, items: Iterable[Any], window: int) -> Iterator[Any]:
        """Hand out items and yield what becomes of them, as it comes.

        Parameters
        ----------
        submit
            Makes a task of a function and its argument; returns a future. None where tasks were made beforehand,
            by `run_all_items`.
        items
            Taken as results are.
        window
            Items on their way at once, and tasks at once. An item asks for a task, unless there are so many.
        """
        queue, in_flight = iter(items), 0
        while True:
            for item in islice(queue, window - in_flight):
                self.todo.put(item)
                in_flight += 1
                if submit is not None:
                    self._submit_task(submit, window)
            if not in_flight:
                return
            event = self.events.get()
            if event.error is not None:
                raise event.error
            if event.task is None:
                in_flight -= 1
                yield event.value
                continue
            self.tasks.discard(event.task)
            event.task.result()  # a task that the scheduler could not run says so
            if submit is not None and not self.todo.empty():
                self._submit_task(submit, window)

    def run_items(self) -> None:
        """Item after item for a while, waiting for the next where there is none."""
        left, end = SHIFT_S, time.monotonic() + SHIFT_S
        with suppress(Empty):
            while left >= 0 and (item := self.todo.get(timeout=left)) is not NO_MORE_ITEMS:
                self.events.put(self._run_item(item))
                left = end - time.monotonic()

    def run_all_items(self) -> None:
        """Item after item until `close`."""
        while (item := self.todo.get()) is not NO_MORE_ITEMS:
            self.events.put(self._run_item(item))

    def _run_item(self, item: Any) -> QueueEvent:
        try:
            return QueueEvent(value=self.work(item))
        except BaseException as error:
            return QueueEvent(error=error)

    def _submit_task(self, submit: Callable[..., Any], window: int) -> None:
        if len(self.tasks) < window:
            task = submit(run_queue_task, self.number)
            self.tasks.add(task)
            task.add_done_callback(lambda future: self.events.put(QueueEvent(task=future)))


def run_queue_task(number: int) -> None:
    """One task: the items of a run of this process, for a while; nothing where that run is over."""
    queue = _queues.get(number)
    if queue is not None:
        queue.run_items()
