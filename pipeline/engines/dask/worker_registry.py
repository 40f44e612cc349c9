"""Workers that are there: asked what they lack, ready, or refused; and how long there has been none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pipeline.engines.dask.connection import Answer, Roll
from pipeline.errors import Unfinished, WorkerError
from pipeline.interfaces import Terms

KEPT = "Everything committed is kept; see that workers can start and reach the scheduler, and run the same command again to go on."


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """What the owner of a cluster does for its workers; a cluster of somebody else's has none."""

    replace: Callable[[], None]
    """Start workers that are missing."""
    retire: Callable[[str], None]
    """Send a worker away, by the name that the cluster has for it."""


@dataclass(slots=True, eq=False, kw_only=True)
class Roster:
    """Who may have items.

    The start is over when all that were there first have answered: until then one that lacks something ends the run, after it that one
    is passed over.
    """

    terms: Terms
    keeper: Keeper | None
    begun: bool = False
    """Whether the start is over."""
    ready: dict[str, int] = field(default_factory=dict)
    """Threads of each worker that may have items, by address."""
    there: dict[str, int] = field(default_factory=dict)
    """The same of all that are there, asked or not."""
    _asked: set[str] = field(default_factory=set)
    _refused: dict[str, str] = field(default_factory=dict)
    """What each worker lacks, by address."""
    _hosts: dict[str, str] = field(default_factory=dict)
    _alive: float = field(default_factory=time.monotonic)
    """When there was a worker last, s."""
    _looked: float = field(default_factory=time.monotonic)
    """When `check` was called last, s."""

    def anew(self) -> None:
        """Everybody is to be asked again, since there is other work."""
        self.ready.clear()
        self._asked.clear()
        self._alive = self._looked = time.monotonic()

    @property
    def hands(self) -> dict[str, int]:
        """Threads of those who may be given something now."""
        return self.ready if self.begun else {}

    def called(self, roll: Roll) -> list[str]:
        """Take over who is there; addresses of those who are to be asked."""
        self.there = roll.there
        for address in [address for address in self.ready if address not in roll.there]:
            self.died(address)
        self._asked &= roll.there.keys()
        self._refused = {address: lacks for address, lacks in self._refused.items() if address in roll.there}
        new = [address for address in roll.there if address not in self.ready and address not in self._asked and address not in self._refused]
        self._asked.update(new)
        if self.keeper is not None and self.begun:
            self.keeper.replace()
        return new

    def answered(self, answer: Answer) -> list[str]:
        """Take over what a worker said; nobody is to be asked for that.

        Raises
        ------
        WorkerError
            All that were there at the start have answered, and some lack something.
        """
        known = answer.address in self._asked
        self._asked.discard(answer.address)
        if known and answer.said is not None:
            new = answer.address not in self._hosts
            self._hosts[answer.address] = answer.said.host
            if answer.said.lacks:
                self._refuse(answer.address, answer.said.name, answer.said.lacks)
            else:
                self._welcome(answer.address, new)
        if not self.begun and not self._asked:
            self._begin()
        return []

    def died(self, address: str) -> None:
        """A worker is gone, and is given nothing more."""
        if self.ready.pop(address, None) is not None:
            self.terms.tell(f"{self._who(address)} is gone; what it had is given to others")

    def doubt(self, address: str) -> None:
        """A worker is not the one that was asked: it is asked again when it is seen next."""
        self.ready.pop(address, None)

    def check(self, lost: bool, gone: bool) -> None:
        """Give up where there was no worker for too long; time in which this process itself did not run does not count.

        Parameters
        ----------
        lost
            Whether the scheduler does not answer.
        gone
            Whether the connection to it is closed for good.

        Raises
        ------
        Unfinished
            There is none, or no scheduler any more.
        """
        now = time.monotonic()
        passed, self._looked = now - self._looked, now
        if self.ready and not lost:
            self._alive = now
        elif passed > self.terms.patience / 2:
            self._alive += passed
        if gone:
            raise Unfinished(f"The connection to the scheduler is lost. {KEPT}")
        if now - self._alive > self.terms.patience:
            raise Unfinished(self._nobody(lost))

    def _begin(self) -> None:
        if self._refused:
            raise WorkerError(f"{'; '.join(self._refused.values())}. Nothing was run. Mend that, or take the worker away, and run the same command again.")
        self.begun = bool(self.ready)

    def _welcome(self, address: str, new: bool) -> None:
        self.ready[address] = self.there.get(address, 1)
        self._alive = time.monotonic()
        if self.begun and new:
            self.terms.tell(f"{self._who(address)} has come and takes blocks")

    def _refuse(self, address: str, name: str, lacks: Iterable[str]) -> None:
        self._refused[address] = f"{self._who(address)} cannot run this job: {'; '.join(lacks)}"
        if self.begun:
            self.terms.tell(f"{self._refused[address]}; it is passed over")
            if self.keeper is not None:
                self.keeper.retire(name)

    def _who(self, address: str) -> str:
        return f"The worker on {self._hosts[address]} ({address})" if address in self._hosts else f"The worker at {address}"

    def _nobody(self, lost: bool) -> str:
        refused = "; ".join(self._refused.values())
        what = "the scheduler did not answer" if lost else f"there was no worker{f' that can run this job ({refused})' if refused else ''}"
        return f"For {self.terms.patience:.0f} s (execution.patience) {what}. {KEPT}"
