"""The connection to a Dask scheduler: what is sent to workers, and all that is heard of them, in one queue.

Whatever waits for the network does so in the client's event loop, so that one worker that does not answer keeps nobody waiting.
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

from pipeline.engines.dask.worker_side import Enrolled, discharge, dismiss, enrol, versions, work_item
from pipeline.interfaces import Needs

ROLL_S = 0.5
"""Seconds between two looks at who is there."""
SILENT_S = 10.0
"""Seconds after which a scheduler that does not answer counts as silent."""
CLOSE_S = 5.0
"""Seconds that workers have to hear that a run is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """Who is there."""

    there: dict[str, int]
    """Threads of each worker, by address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a worker said when it was asked."""

    address: str
    said: Enrolled | None
    """None where it did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What became of an item that was out."""

    number: int
    value: Any = None
    error: BaseException | None = None
    deaths: int = 0
    """Workers that died while they had it, where the scheduler gives it up for that."""
    address: str = ""
    """Of the last of them."""
    lost: bool = False
    """Whether nobody knows of it any more, since the connection broke."""


Said = Roll | Answer | Came


@dataclass(slots=True, eq=False, kw_only=True)
class Link:
    """What one run says to the workers of a scheduler, through a connected ``distributed.Client``."""

    client: Any
    run: str
    """Name of the run."""
    needs: Needs | None
    lost: bool = False
    """Whether the scheduler does not answer."""
    _work: str = ""
    """Name of the work that is under way; none where it is empty."""
    _made: bytes = b""
    _said: SimpleQueue[Said] = field(default_factory=SimpleQueue)
    _out: set[Any] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=count)

    @contextmanager
    def working(self, work: Callable[[Any], Any]) -> Iterator[SimpleQueue[Said]]:
        """While a work is under way, all that is heard comes into a queue; then nothing of it is out any more."""
        from distributed.protocol.pickle import dumps

        self._work, self._made, self._said = uuid.uuid4().hex, dumps(work), SimpleQueue()
        self._soon(self._look, self._work)
        try:
            yield self._said
        finally:
            self._end()

    def submit(self, value: Any, addresses: list[str]) -> tuple[int, Any]:
        """Give an item to the workers at some addresses; one of them has it. Returns its number and its future."""
        number = next(self._numbers)
        key = f"wholecloth-{self._work[:12]}-{number}"
        future = self.client.submit(work_item, self._work, value, key=key, pure=False, workers=addresses, allow_other_workers=False)
        self._out.add(future)
        self._soon(self._await, number, future, self._said)
        return number, future

    def cancel(self, future: Any) -> None:
        """Take an item back from the scheduler."""
        self._soon(self._cancel, [future])

    def enrol(self, address: str) -> None:
        """Ask a worker what it lacks, and give it the work."""
        self._soon(self._ask, address, self._said)

    def close(self, stop: bool, wait: bool) -> None:
        """The run is over; ``stop`` also ends what is under way. ``wait`` for the workers to hear it where they live on."""
        self._end()
        if wait:
            with suppress(Exception):  # who does not hear it ends with the connection
                self.client.sync(self._discharge, stop, callback_timeout=CLOSE_S)

    @property
    def gone(self) -> bool:
        """Whether the connection is closed for good."""
        return self.client.status in ("closing", "closed")

    def _end(self) -> None:
        """Nothing is out any more."""
        if self._work:
            over, self._work = self._work, ""
            self._soon(self._leave, over, list(self._out))

    def _soon(self, what: Callable[..., Coroutine[Any, Any, None]], *given: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended, and all that waited in it
            self.client.loop.add_callback(what, *given)

    async def _look(self, work: str) -> None:
        """Say again and again who is there, as long as the work is under way."""
        while self._work == work:
            try:
                there = await asyncio.wait_for(self.client.scheduler.ncores(), SILENT_S)
                self.lost = False
                self._said.put(Roll(there=dict(there)))
            except (OSError, TimeoutError, ValueError, AttributeError):  # closed, and its scheduler is None then
                self.lost = True
            await asyncio.sleep(ROLL_S)

    async def _ask(self, address: str, said: SimpleQueue[Said]) -> None:
        from distributed.protocol.pickle import dumps

        given = (self.run, self._work, versions(), dumps(self.needs), self._made)
        try:
            answer = await self._ran(address, enrol, *given)
        except (OSError, TimeoutError):  # it is gone, or will be asked again
            answer = None
        except Exception as error:  # another Python, or none of ours: what was sent cannot even be read there
            answer = Enrolled(host=await self._host(address), name="", lacks=(f"Wholecloth as it runs here cannot be loaded there ({error})",))
        said.put(Answer(address=address, said=answer))

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

    async def _await(self, number: int, future: Any, said: SimpleQueue[Said]) -> None:
        from distributed import CancelledError, KilledWorker

        try:
            came = Came(number=number, value=await future)
        except KilledWorker as error:
            came = Came(number=number, deaths=error.allowed_failures + 1, address=error.last_worker.address)
        except (CancelledError, asyncio.CancelledError):
            came = Came(number=number, lost=True)
        except Exception as error:
            came = Came(number=number, error=error)
        self._out.discard(future)
        said.put(came)

    async def _cancel(self, futures: list[Any]) -> None:
        with suppress(Exception):  # where nobody is to hear it, nobody goes on with it
            await self.client.cancel(futures)

    async def _leave(self, work: str, futures: list[Any]) -> None:
        await self._cancel(futures)
        with suppress(Exception):  # as above
            await self.client.run(dismiss, work, on_error="ignore")

    async def _discharge(self, stop: bool) -> None:
        await self.client.run(discharge, self.run, stop, on_error="ignore")
