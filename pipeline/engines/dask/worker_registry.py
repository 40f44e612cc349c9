"""Workers that are there: asked what they lack, ready, or refused; and how long there has been none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pipeline.engines.dask.connection import WorkerReply, WorkersSeen
from pipeline.errors import Unfinished, WorkerError
from pipeline.interfaces import EngineOptions

RESUME_HINT = (
    "Everything committed is kept; see that workers can start and reach the scheduler, and run "
    "the same command again to go on."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterControl:
    """What the owner of a cluster does for its workers; a cluster of somebody else's has none."""

    start_missing: Callable[[], None]
    """Start workers that are missing."""
    stop_worker: Callable[[str], None]
    """Send a worker away, by the name that the cluster has for it."""


@dataclass(slots=True, eq=False, kw_only=True)
class WorkerRegistry:
    """Who may have items.

    The start is over when all that were there first have answered: until then one that lacks something ends the run,
    after it that one is passed over.
    """

    options: EngineOptions
    control: ClusterControl | None
    is_startup_done: bool = False
    """Whether the start is over."""
    ready: dict[str, int] = field(default_factory=dict)
    """Threads of each worker that may have items, by address."""
    connected: dict[str, int] = field(default_factory=dict)
    """The same of all that are there, asked or not."""
    _pending: set[str] = field(default_factory=set)
    _refusals: dict[str, str] = field(default_factory=dict)
    """What each worker lacks, by address."""
    _hosts: dict[str, str] = field(default_factory=dict)
    _last_worker_at: float = field(default_factory=time.monotonic)
    """When there was a worker last, s."""
    _last_check_at: float = field(default_factory=time.monotonic)
    """When `check` was called last, s."""

    def reset(self) -> None:
        """Everybody is to be asked again, since there is other work."""
        self.ready.clear()
        self._pending.clear()
        self._last_worker_at = self._last_check_at = time.monotonic()

    @property
    def assignable(self) -> dict[str, int]:
        """Threads of those who may be given something now."""
        return self.ready if self.is_startup_done else {}

    def update(self, workers: WorkersSeen) -> list[str]:
        """Take over who is there; addresses of those who are to be asked."""
        self.connected = workers.threads
        for address in [address for address in self.ready if address not in workers.threads]:
            self.died(address)
        self._pending &= workers.threads.keys()
        self._refusals = {address: refusal for address, refusal in self._refusals.items() if address in workers.threads}
        new = [
            address
            for address in workers.threads
            if address not in self.ready and address not in self._pending and address not in self._refusals
        ]
        self._pending.update(new)
        if self.control is not None and self.is_startup_done:
            self.control.start_missing()
        return new

    def record_reply(self, reply: WorkerReply) -> list[str]:
        """Take over what a worker said; nobody is to be asked for that.

        Raises
        ------
        WorkerError
            All that were there at the start have answered, and some lack something.
        """
        is_pending = reply.address in self._pending
        self._pending.discard(reply.address)
        if is_pending and reply.report is not None:
            new = reply.address not in self._hosts
            self._hosts[reply.address] = reply.report.host
            if reply.report.missing:
                self._refuse(reply.address, reply.report.name, reply.report.missing)
            else:
                self._accept(reply.address, new)
        if not self.is_startup_done and not self._pending:
            self._finish_startup()
        return []

    def died(self, address: str) -> None:
        """A worker is gone, and is given nothing more."""
        if self.ready.pop(address, None) is not None:
            self.options.notify(f"{self._worker_name(address)} is gone; what it had is given to others")

    def distrust(self, address: str) -> None:
        """A worker is not the one that was asked: it is asked again when it is seen next."""
        self.ready.pop(address, None)

    def check(self, is_silent: bool, is_closed: bool) -> None:
        """Give up where there was no worker for too long; time in which this process itself did not run does not count.

        Parameters
        ----------
        is_silent
            Whether the scheduler does not answer.
        is_closed
            Whether the connection to it is closed for good.

        Raises
        ------
        Unfinished
            There is none, or no scheduler any more.
        """
        now = time.monotonic()
        elapsed, self._last_check_at = now - self._last_check_at, now
        if self.ready and not is_silent:
            self._last_worker_at = now
        elif elapsed > self.options.patience / 2:
            self._last_worker_at += elapsed
        if is_closed:
            raise Unfinished(f"The connection to the scheduler is lost. {RESUME_HINT}")
        if now - self._last_worker_at > self.options.patience:
            raise Unfinished(self._timeout_message(is_silent))

    def _finish_startup(self) -> None:
        if self._refusals:
            raise WorkerError(
                f"{'; '.join(self._refusals.values())}. Nothing was run. Mend that, or take the worker "
                f"away, and run the same command again."
            )
        self.is_startup_done = bool(self.ready)

    def _accept(self, address: str, new: bool) -> None:
        self.ready[address] = self.connected.get(address, 1)
        self._last_worker_at = time.monotonic()
        if self.is_startup_done and new:
            self.options.notify(f"{self._worker_name(address)} has come and takes blocks")

    def _refuse(self, address: str, name: str, missing: Iterable[str]) -> None:
        self._refusals[address] = f"{self._worker_name(address)} cannot run this job: {'; '.join(missing)}"
        if self.is_startup_done:
            self.options.notify(f"{self._refusals[address]}; it is passed over")
            if self.control is not None:
                self.control.stop_worker(name)

    def _worker_name(self, address: str) -> str:
        return (
            f"The worker on {self._hosts[address]} ({address})"
            if address in self._hosts
            else f"The worker at {address}"
        )

    def _timeout_message(self, is_silent: bool) -> str:
        refusals = "; ".join(self._refusals.values())
        reason = (
            "the scheduler did not answer"
            if is_silent
            else f"there was no worker{f' that can run this job ({refusals})' if refusals else ''}"
        )
        return f"For {self.options.patience:.0f} s (execution.patience) {reason}. {RESUME_HINT}"
