"""Claims on a store: who holds it, and which of them is dead.

A claim is a file that is created, never changed, and deleted: ``0/mask/lease/ID/all.000007.json`` of a run of all blocks, or
``shard-003-of-016.000001.json``; beside it lies its holder's heartbeat, a number in ``TOKEN.beat``. They lie below an array, where no Zarr
reader looks, and below the id of the store, so that who held a store that was made anew meanwhile has no hand in the new one.

Whoever wants the store judges all claims that forbid it, creates one of its own under the next number, which of several at once only one
can, and then looks again: somebody whom it did not judge has come in between, and it withdraws. Only then it deletes the claims of the
dead. A holder whose claim is gone holds nothing any more.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.errors import Unfinished
from pipeline.geometry.shards import Shard
from pipeline.locations import Place
from pipeline.store.files import Files
from pipeline.store.lease.process_identity import Holder, alive, load
from pipeline.store.lifecycle import read_meta

FOLDER = "0/mask/lease"
_NAME = re.compile(r"(?:all|shard-(\d+)-of-(\d+))\.(\d+)\.json")

Say = Callable[[str], None]
Beats = dict[str, bytes | None]
"""What the heartbeats of holders said, by token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim that stands in the store."""

    key: str
    shard: Shard | None
    """None for all blocks."""
    number: int
    holder: Holder


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims on one store."""

    store: Place
    folder: str
    patience: float
    """Seconds without a heartbeat after which a holder may be taken for dead, as we have it."""

    @classmethod
    def on(cls, store: Place, patience: float) -> Claims:
        """Those on a store as it is now; raises StoreError where there is none of ours."""
        return cls(store, f"{FOLDER}/{identity(store) or 'old'}", patience)

    def all(self) -> Iterator[Claim]:
        """Every claim that stands."""
        return self._found(lambda shard: True)

    def against(self, shard: Shard | None) -> list[Claim]:
        """Those that forbid a run of a shard, or of all blocks."""
        return list(self._found(lambda other: forbids(other, shard)))

    def make(self, shard: Shard | None, there: list[Claim], holder: Holder) -> Claim | None:
        """Claim the next number; None where somebody else has it by now."""
        number = 1 + max((claim.number for claim in there if claim.shard == shard), default=0)
        key = f"{self.folder}/{shard.name if shard else 'all'}.{number:06}.json"
        claim = Claim(key=key, shard=shard, number=number, holder=holder)
        made = self._files.create(key, holder.dump()) or self.stands(claim)  # storage that tried twice may deny its own success
        return claim if made else None

    def judge(self, there: list[Claim], say: Say) -> Beats:
        """Make sure that all holders are dead: at once where that can be seen, else by waiting for a heartbeat that does not come.

        Returns
        -------
        dict
            What their heartbeats said last, by token.

        Raises
        ------
        Unfinished
            One is alive.
        """
        seen: Beats = {claim.holder.token: self.beat(claim) for claim in there}
        patience = max([self.patience, *(claim.holder.patience for claim in there)])
        began, unsure, told = time.monotonic(), there, False
        while True:
            now = time.monotonic()  # before they are looked at: whoever freezes in between must not take what is old for what is
            unsure = [claim for claim in unsure if self._is_unsure(claim, seen)]
            if not unsure or now - began >= patience:
                return seen
            if not told:
                say(f"waiting up to {patience:g} s for a sign of life of {unsure[0].holder} in {self.store}")
                told = True
            time.sleep(min(1.0, patience / 30))

    def settle(self, mine: Claim, dead: list[Claim], seen: Beats) -> None:
        """Look again, then take over from the dead.

        Raises
        ------
        Unfinished
            Somebody came in between, or came back to life.
        """
        for other in self.against(mine.shard):
            if other.key != mine.key and other.holder.token not in seen:
                raise self.refused(other)
        for claim in dead:
            self._files.delete(claim.key)
        for claim in dead:
            if self.beat(claim) not in (None, seen[claim.holder.token]):
                raise Unfinished(f"{claim.holder} was silent and has come back to {self.store} just now; it will stop. Run the same command again.")
            self._files.delete(self._pulse(claim))
        if mine.shard is None:  # nobody else has any business here
            for key in [key for key in self._files.list(FOLDER) if key not in (mine.key, self._pulse(mine))]:
                self._files.delete(key)

    def stands(self, claim: Claim) -> bool:
        """Whether a claim is still there, and its holder's."""
        data = self._files.get(claim.key)
        return data is not None and load(data, claim.key, 0).token == claim.holder.token

    def beat(self, claim: Claim) -> bytes | None:
        """What a heartbeat said last; None where there was none yet."""
        return self._files.get(self._pulse(claim))

    def renew(self, claim: Claim, beats: int) -> bool:
        """Say that a holder is alive; False where its claim is gone, by now or by then.

        It is looked for before, so as not to put anything where no store is any more, and after: who took over either finds it gone, or its
        holder alive.
        """
        if not self.stands(claim):
            return False
        self._files.put(self._pulse(claim), str(beats).encode())
        return self.stands(claim)

    def drop(self, claim: Claim) -> None:
        """Give a claim back."""
        if self.stands(claim):
            self._files.delete(claim.key)
            self._files.delete(self._pulse(claim))

    def refused(self, claim: Claim) -> Unfinished:
        """What is said to whom a claim forbids the store."""
        return Unfinished(
            f"{self.store} is in use: {claim.holder} is at work on it. Wait until it is through (wholecloth status tells how far it is), or stop it, and run "
            "the same command again; nothing was changed."
        )

    @property
    def _files(self) -> Files:
        return Files(self.store)

    def _pulse(self, claim: Claim) -> str:
        return f"{self.folder}/{claim.holder.token}.beat"

    def _found(self, wanted: Callable[[Shard | None], bool]) -> Iterator[Claim]:
        for key in list(self._files.list(self.folder)):
            match = _NAME.fullmatch(key.rpartition("/")[2])
            if match is None:
                continue
            shard = Shard(index=int(match[1]), count=int(match[2])) if match[1] else None
            data = self._files.get(key) if wanted(shard) else None  # of very many shards only those are read that matter
            if data is not None:
                yield Claim(key=key, shard=shard, number=int(match[3]), holder=load(data, key, self.patience))

    def _is_unsure(self, claim: Claim, seen: Beats) -> bool:
        """Whether a holder may be alive or dead; raises Unfinished where it is alive."""
        fate = alive(claim.holder)
        if fate is False or (fate is None and self.beat(claim) == seen[claim.holder.token]):
            return fate is None
        if self.stands(claim):
            raise self.refused(claim)
        return False  # it was given back just now


def forbids(other: Shard | None, shard: Shard | None) -> bool:
    """Whether a run of one shard, or of all blocks, may not begin beside that of another: only shards of the same number of shards never meet."""
    return other is None or shard is None or other.count != shard.count or other.index == shard.index


def identity(store: Place) -> str:
    """The id that a store was given when it was made; empty for one that was made before there were any."""
    return str(read_meta(store).get("id", ""))
