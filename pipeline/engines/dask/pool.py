"""One function over many items through the workers of a Dask scheduler, which come and go.

Items are given to workers that were asked what they lack and have the work; a few per thread are out at a time. The
scheduler moves an item of a worker that died to another; where it cannot, the item is given out anew here. A worker
that is missing costs its items only, an item that workers die of costs nobody else's::

    workers   come → asked → ready → gone          what lacks something is named, and gets nothing
    items     new → out → back → done              a few times out and nobody back: alone; again nobody: failed
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

from pipeline.engines.dask.connection import ItemDone, SchedulerConnection, WorkerEvent, WorkerReply
from pipeline.engines.dask.retry_queue import Item, RetryQueue
from pipeline.engines.dask.teams import Team, Teams
from pipeline.engines.dask.worker_registry import ClusterControl, WorkerRegistry
from pipeline.engines.dask.worker_side import UnknownWork
from pipeline.errors import BlocksFailed, Unfinished
from pipeline.interfaces import Engine, EngineOptions
from pipeline.runtime.cancellation import CANCELLED

ITEMS_PER_THREAD = 2
"""Items that are out per thread: one that is worked on, and one that waits for the thread."""
TICK_S = 0.5
"""Seconds between two looks at the clock while nothing is heard."""


@contextmanager
def pool_engine(client: Any, options: EngineOptions, control: ClusterControl | None = None) -> Iterator[Engine]:
    """An engine over the workers of a client's scheduler.

    Parameters
    ----------
    client
        A connected ``distributed.Client``.
    options
        What workers need, who is told of them, and how long to wait where there are none.
    control
        Of the cluster, where it is ours.
    """
    run, stop = uuid.uuid4().hex, True
    connection, registry = (
        SchedulerConnection(client=client, run=run, needs=options.needs),
        WorkerRegistry(options=options, control=control),
    )

    def engine(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        registry.reset()
        yield from Dispatcher(connection=connection, registry=registry, work=work, queue=RetryQueue(items)).results()

    try:
        yield engine
        stop = False
    finally:
        connection.close(stop, wait=control is None)


@dataclass(slots=True, eq=False, kw_only=True)
class _Assignment:
    """An item that is out."""

    item: Item
    future: Any
    addresses: frozenset[str]
    """Addresses of workers that may have it."""
    team: Team | None
    """Of these workers; None where it is not among those who may be given something."""


@dataclass(slots=True, eq=False, kw_only=True)
class Dispatcher:
    """One work over its items."""

    connection: SchedulerConnection
    registry: WorkerRegistry
    work: Callable[[Any], Any]
    queue: RetryQueue
    assignments: dict[int, _Assignment] = field(default_factory=dict)
    teams: Teams = field(default_factory=lambda: Teams(items_per_thread=ITEMS_PER_THREAD))
    _waiting: Item | None = None
    """An item that is taken and not out yet."""

    def results(self) -> Iterator[Any]:
        """Yield what becomes of the items, as it comes.

        Raises
        ------
        BlocksFailed
            Workers die of an item, and the work has no word for that.
        Unfinished
            There is no worker, and none comes; or the run was asked to stop.
        WorkerError
            A worker that is there at the start lacks something.
        """
        if not self._take_next():
            return
        with self.connection.working(self.work) as events:
            while self._submit_items():
                # a signal may come while Python runs a finaliser, which swallows what the signal raises
                if CANCELLED.is_set():
                    raise Unfinished("The run was asked to stop.")
                with suppress(Empty):
                    yield from self._handle(events.get(timeout=TICK_S))
                self.registry.check(self.connection.is_silent, self.connection.is_closed)

    def _submit_items(self) -> bool:
        """Give out as much as there are hands for; whether anything is left to be waited for."""
        self.teams.update(self.registry.assignable, self.assignments.values())
        while (team := self.teams.roomiest()) is not None and self._take_next():
            item, self._waiting = self._waiting, None
            assert item is not None
            number, future = self.connection.submit(item.value, list(team.threads))
            team.items += 1
            self.assignments[number] = _Assignment(
                item=item, future=future, addresses=frozenset(team.threads), team=team
            )
        return bool(self.assignments) or self._take_next()

    def _remove(self, number: int) -> _Assignment | None:
        """Take an item from those that are out; None where it is not among them."""
        assignment = self.assignments.pop(number, None)
        if assignment is not None and assignment.team is not None:
            assignment.team.items -= 1
        return assignment

    def _take_next(self) -> bool:
        """Whether there is an item that may be out now; it is taken."""
        if self._waiting is None:
            self._waiting = self.queue.next(others_in_flight=bool(self.assignments))
        return self._waiting is not None

    def _handle(self, event: WorkerEvent) -> Iterator[Any]:
        if isinstance(event, ItemDone):
            yield from self._item_done(event)
            return
        if isinstance(event, WorkerReply):
            self.registry.record_reply(event)
            return
        for address in self.registry.update(event):
            self.connection.register_worker(address)
        yield from self._requeue_unreachable()

    def _requeue_unreachable(self) -> Iterator[Any]:
        """Items whose workers are all gone: no other may have them, so that the scheduler would wait for ever."""
        for number in [
            number
            for number, assignment in self.assignments.items()
            if self.registry.connected.keys().isdisjoint(assignment.addresses)
        ]:
            assignment = self._remove(number)
            assert assignment is not None
            self.connection.cancel(assignment.future)
            if self.queue.worker_vanished(assignment.item):
                yield self._failed(assignment.item)

    def _item_done(self, done: ItemDone) -> Iterator[Any]:
        """An item came back; one that is not out any more was given to others meanwhile."""
        assignment = self._remove(done.number)
        if assignment is None:
            return
        if done.deaths:
            self.registry.died(done.address)
            if self.queue.died(assignment.item, done.deaths):
                yield self._failed(assignment.item)
        elif isinstance(done.value, UnknownWork):
            self.registry.distrust(done.value.address)
            self.queue.requeue(assignment.item)
        elif done.cancelled:
            self.queue.requeue(assignment.item)
        elif done.error is not None:
            raise done.error
        else:
            yield done.value

    def _failed(self, item: Item) -> Any:
        """What the work says of an item that workers die of."""
        reason = (
            f"the worker's process died all of the {item.deaths} times that it was tried, at last with "
            f"nothing else beside it"
        )
        failed = getattr(self.work, "failed", None)
        if failed is None:
            raise BlocksFailed(
                f"{item.value} failed: {reason}. Everything committed is kept; run the same command again "
                f"to try it again."
            )
        return failed(item.value, reason)
