"""The connection to a Dask scheduler: what is sent to workers, and all that is heard of them, in one queue.

Whatever waits for the network does so in the client's event loop, so that one worker that does not answer keeps nobody
waiting.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from queue import SimpleQueue
from typing import Any

from pipeline.engines.dask.worker_side import WorkerReport, end_run, register_work, unregister_work, versions, work_item
from pipeline.interfaces import ReadinessCheck

POLL_S = 0.5
"""Seconds between two looks at who is there."""
SILENT_S = 10.0
"""Seconds after which a scheduler that does not answer counts as silent."""
CLOSE_S = 5.0
"""Seconds that workers have to hear that a run is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersSeen:
    """Who is there."""

    threads: dict[str, int]
    """Threads of each worker, by address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReply:
    """What a worker said when it was asked."""

    address: str
    report: WorkerReport | None
    """None where it did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDone:
    """What became of an item that was out."""

    number: int
    value: Any = None
    error: BaseException | None = None
    deaths: int = 0
    """Workers that died while they had it, where the scheduler gives it up for that."""
    address: str = ""
    """Of the last of them."""
    cancelled: bool = False
    """Whether nobody knows of it any more, since the connection broke."""


WorkerEvent = WorkersSeen | WorkerReply | ItemDone


@dataclass(slots=True, eq=False, kw_only=True)
class SchedulerConnection:
    """What one run says to the workers of a scheduler, through a connected ``distributed.Client``."""

    client: Any
    run: str
    """Name of the run."""
    needs: ReadinessCheck | None
    is_silent: bool = False
    """Whether the scheduler does not answer."""
    _work: str = ""
    """Name of the work that is under way; none where it is empty."""
    _request: tuple[Any, ...] = ()
    """What each worker is sent when it is asked: arguments of `register_work`, made once for all."""
    _events: SimpleQueue[WorkerEvent] = field(default_factory=SimpleQueue)
    _futures: set[Any] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=count)

    @contextmanager
    def working(self, work: Callable[[Any], Any]) -> Iterator[SimpleQueue[WorkerEvent]]:
        """While a work is under way, all that is heard comes into a queue; then nothing of it is out any more."""
        from distributed.protocol.pickle import dumps

        self._work, self._events = uuid.uuid4().hex, SimpleQueue()
        self._request = (self.run, self._work, versions(), dumps(self.needs), dumps(work))
        self._schedule(self._poll_workers, self._work)
        try:
            yield self._events
        finally:
            self._end()

    def submit(self, value: Any, addresses: list[str]) -> tuple[int, Any]:
        """Give an item to the workers at some addresses; one of them has it. Returns its number and its future."""
        number = next(self._numbers)
        key = f"wholecloth-{self._work[:12]}-{number}"
        future = self.client.submit(
            work_item, self._work, value, key=key, pure=False, workers=addresses, allow_other_workers=False
        )
        self._futures.add(future)
        self._schedule(self._await, number, future, self._events)
        return number, future

    def cancel(self, future: Any) -> None:
        """Take an item back from the scheduler."""
        self._schedule(self._cancel, [future])

    def register_worker(self, address: str) -> None:
        """Ask a worker what it lacks, and give it the work."""
        self._schedule(self._request_report, address, self._events)

    def close(self, stop: bool, wait: bool) -> None:
        """The run is over; ``stop`` also ends what is under way.

        ``wait`` for the workers to hear it where they live on.
        """
        self._end()
        if wait:
            with suppress(Exception):  # who does not hear it ends with the connection
                self.client.sync(self._end_run, stop, callback_timeout=CLOSE_S)

    @property
    def is_closed(self) -> bool:
        """Whether the connection is closed for good."""
        return self.client.status in ("closing", "closed")

    def _end(self) -> None:
        """Nothing is out any more."""
        if self._work:
            work, self._work = self._work, ""
            self._schedule(self._unregister, work, list(self._futures))

    def _schedule(self, coroutine: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended, and all that waited in it
            self.client.loop.add_callback(coroutine, *arguments)

    async def _poll_workers(self, work: str) -> None:
        """Say again and again who is there, as long as the work is under way."""
        while self._work == work:
            try:
                threads = await asyncio.wait_for(self.client.scheduler.ncores(), SILENT_S)
                self.is_silent = False
                self._events.put(WorkersSeen(threads=dict(threads)))
            except (OSError, TimeoutError, ValueError, AttributeError):  # closed, and its scheduler is None then
                self.is_silent = True
            await asyncio.sleep(POLL_S)

    async def _request_report(self, address: str, events: SimpleQueue[WorkerEvent]) -> None:
        try:
            report = await self._ran(address, register_work, *self._request)
        except (OSError, TimeoutError):  # it is gone, or will be asked again
            report = None
        except Exception as error:  # another Python, or none of ours: what was sent cannot even be read there
            report = WorkerReport(
                host=await self._host(address),
                name="",
                missing=(f"Wholecloth as it runs here cannot be loaded there ({error})",),
            )
        events.put(WorkerReply(address=address, report=report))

    async def _ran(self, address: str, function: Callable[..., Any], *given: Any) -> Any:
        """What a function returns on one worker; raises what it raises, and OSError where the worker is gone."""
        answers = await self.client.run(function, *given, workers=[address], on_error="return")
        answer = answers.get(address, OSError("gone"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _host(self, address: str) -> str:
        try:
            return str(await self._ran(address, socket.gethostname))
        except Exception:
            return address

    async def _await(self, number: int, future: Any, events: SimpleQueue[WorkerEvent]) -> None:
        from distributed import CancelledError, KilledWorker

        try:
            event = ItemDone(number=number, value=await future)
        except KilledWorker as error:
            event = ItemDone(number=number, deaths=error.allowed_failures + 1, address=error.last_worker.address)
        except (CancelledError, asyncio.CancelledError):
            event = ItemDone(number=number, cancelled=True)
        except Exception as error:
            event = ItemDone(number=number, error=error)
        self._futures.discard(future)
        events.put(event)

    async def _cancel(self, futures: list[Any]) -> None:
        with suppress(Exception):  # where nobody is to hear it, nobody goes on with it
            await self.client.cancel(futures)

    async def _unregister(self, work: str, futures: list[Any]) -> None:
        await self._cancel(futures)
        with suppress(Exception):  # as above
            await self.client.run(unregister_work, work, on_error="ignore")

    async def _end_run(self, stop: bool) -> None:
        await self.client.run(end_run, self.run, stop, on_error="ignore")
