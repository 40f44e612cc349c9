"""One function over many items through the workers of a Dask scheduler, which come and go.

Items are given to workers that were asked what they lack and have the work; a few per thread are out at a time. The scheduler moves an
item of a worker that died to another; where it cannot, the item is given out anew here. A worker that is missing costs its items only,
an item that workers die of costs nobody else's::

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

from pipeline.engines.dask.connection import Came, Link, Roll, Said
from pipeline.engines.dask.retry_queue import Backlog, Item
from pipeline.engines.dask.worker_registry import Keeper, Roster
from pipeline.engines.dask.worker_side import Stranger
from pipeline.errors import BlocksFailed, Unfinished
from pipeline.interfaces import Engine, Terms
from pipeline.runtime.cancellation import STOP

WINDOW = 2
"""Items that are out per thread: one that is worked on, and one that waits for the thread."""
TICK_S = 0.5
"""Seconds between two looks at the clock while nothing is heard."""


@contextmanager
def crew(client: Any, terms: Terms, keeper: Keeper | None = None) -> Iterator[Engine]:
    """An engine over the workers of a client's scheduler.

    Parameters
    ----------
    client
        A connected ``distributed.Client``.
    terms
        What workers need, who is told of them, and how long to wait where there are none.
    keeper
        Of the cluster, where it is ours.
    """
    run, stop = uuid.uuid4().hex, True
    link, roster = Link(client=client, run=run, needs=terms.needs), Roster(terms=terms, keeper=keeper)

    def engine(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        roster.anew()
        yield from Shift(link=link, roster=roster, work=work, backlog=Backlog(items)).results()

    try:
        yield engine
        stop = False
    finally:
        link.close(stop, wait=keeper is None)


@dataclass(slots=True, eq=False, kw_only=True)
class _Out:
    """An item that is out."""

    item: Item
    future: Any
    given: frozenset[str]
    """Addresses of workers that may have it."""


@dataclass(slots=True, eq=False, kw_only=True)
class Shift:
    """One work over its items."""

    link: Link
    roster: Roster
    work: Callable[[Any], Any]
    backlog: Backlog
    out: dict[int, _Out] = field(default_factory=dict)
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
        if not self._more():
            return
        with self.link.working(self.work) as said:
            while self._hand_out():
                if STOP.is_set():  # a signal may come while Python runs a finaliser, which swallows what the signal raises
                    raise Unfinished("The run was asked to stop.")
                with suppress(Empty):
                    yield from self._hear(said.get(timeout=TICK_S))
                self.roster.check(self.link.lost, self.link.gone)

    def _hand_out(self) -> bool:
        """Give out as much as there are hands for; whether anything is left to be waited for."""
        ready = self.roster.hands
        while len(self.out) < WINDOW * sum(ready.values()) and self._more():
            item, self._waiting = self._waiting, None
            assert item is not None
            number, future = self.link.submit(item.value, list(ready))
            self.out[number] = _Out(item=item, future=future, given=frozenset(ready))
        return bool(self.out) or self._more()

    def _more(self) -> bool:
        """Whether there is an item that may be out now; it is taken."""
        if self._waiting is None:
            self._waiting = self.backlog.next(company=bool(self.out))
        return self._waiting is not None

    def _hear(self, said: Said) -> Iterator[Any]:
        if isinstance(said, Came):
            yield from self._back(said)
            return
        for address in self.roster.called(said) if isinstance(said, Roll) else self.roster.answered(said):
            self.link.enrol(address)
        yield from self._missing()

    def _missing(self) -> Iterator[Any]:
        """Items whose workers are all gone: no other may have them, so that the scheduler would wait for ever."""
        for number in [number for number, out in self.out.items() if not out.given & self.roster.there.keys()]:
            out = self.out.pop(number)
            self.link.cancel(out.future)
            if self.backlog.missed(out.item):
                yield self._failed(out.item)

    def _back(self, came: Came) -> Iterator[Any]:
        """An item came back; one that is not out any more was given to others meanwhile."""
        out = self.out.pop(came.number, None)
        if out is None:
            return
        if came.deaths:
            self.roster.died(came.address)
            if self.backlog.died(out.item, came.deaths):
                yield self._failed(out.item)
        elif isinstance(came.value, Stranger):
            self.roster.doubt(came.value.address)
            self.backlog.back(out.item)
        elif came.lost:
            self.backlog.back(out.item)
        elif came.error is not None:
            raise came.error
        else:
            yield came.value

    def _failed(self, item: Item) -> Any:
        """What the work says of an item that workers die of."""
        why = f"the worker's process died all of the {item.deaths} times that it was tried, at last with nothing else beside it"
        said = getattr(self.work, "failed", None)
        if said is None:
            raise BlocksFailed(f"{item.value} failed: {why}. Everything committed is kept; run the same command again to try it again.")
        return said(item.value, why)
