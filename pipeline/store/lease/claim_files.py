"""Claims on a store: who holds it, and which of them is dead.

A claim is a file that is created, never changed, and deleted: ``0/mask/lease/ID/all.000007.json`` of a run of all
blocks, or ``shard-003-of-016.000001.json``; beside it lies its holder's heartbeat, a number in ``TOKEN.beat``. They lie
below an array, where no Zarr reader looks (``0/values`` in a store without a mask), and below the id of the store, so
that who held a store that was made anew meanwhile has no hand in the new one.

Whoever wants the store judges all claims that forbid it, creates one of its own under the next number, which of several
at once only one can, and then looks again: somebody whom it did not judge has come in between, and it withdraws. Only
then it deletes the claims of the dead. A holder whose claim is gone holds nothing any more.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Unfinished
from pipeline.geometry.shards import Shard
from pipeline.locations import Place
from pipeline.store.files import Files, files_at
from pipeline.store.lease.process_identity import Holder, is_alive, parse_holder
from pipeline.store.lifecycle import main_layer_of, read_store_meta

LEASE = "lease"
"""Name of the folder of claims, below an array of the full resolution."""
IMAGE_CLAIMS = ".wholecloth/claims"
"""Folder of claims on an image of somebody else, of which nothing stays when a claim is given back."""
_NAME = re.compile(r"(?:all|shard-(\d+)-of-(\d+))\.(\d+)\.json")

Notify = Callable[[str], None]
Heartbeats = dict[str, bytes | None]
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
        store_id = read_store_id(store) or "old"
        return cls(store, f"0/{main_layer_of(store)}/{LEASE}/{store_id}", patience)

    def all(self) -> Iterator[Claim]:
        """Every claim that stands."""
        return self._matching(lambda shard: True)

    def conflicting(self, shard: Shard | None) -> list[Claim]:
        """Those that forbid a run of a shard, or of all blocks."""
        return list(self._matching(lambda other: conflicts(other, shard)))

    def try_create(self, shard: Shard | None, existing: list[Claim], holder: Holder) -> Claim | None:
        """Claim the next number; None where somebody else has it by now."""
        number = 1 + max((claim.number for claim in existing if claim.shard == shard), default=0)
        key = f"{self.folder}/{shard.name if shard else 'all'}.{number:06}.json"
        claim = Claim(key=key, shard=shard, number=number, holder=holder)
        # storage that tried twice may deny its own success
        created = self._files.create(key, holder.dump()) or self.still_exists(claim)
        return claim if created else None

    def wait_for_dead_holders(self, existing: list[Claim], notify: Notify) -> Heartbeats:
        """Make sure that all holders are dead.

        At once where that can be seen, else by waiting for a heartbeat that does not come.

        Returns
        -------
        dict
            What their heartbeats said last, by token.

        Raises
        ------
        Unfinished
            One is alive.
        """
        beats: Heartbeats = {claim.holder.token: self.heartbeat(claim) for claim in existing}
        patience = max([self.patience, *(claim.holder.patience for claim in existing)])
        began, undecided, notified = time.monotonic(), existing, False
        while True:
            # before they are looked at: whoever freezes in between must not take what is old for what is
            now = time.monotonic()
            undecided = [claim for claim in undecided if self._is_undecided(claim, beats)]
            if not undecided or now - began >= patience:
                return beats
            if not notified:
                notify(f"waiting up to {patience:g} s for a sign of life of {undecided[0].holder} in {self.store}")
                notified = True
            time.sleep(min(1.0, patience / 30))

    def resolve_race(self, own_claim: Claim, dead: list[Claim], beats: Heartbeats) -> None:
        """Look again, then take over from the dead.

        Raises
        ------
        Unfinished
            Somebody came in between, or came back to life.
        """
        for other in self.conflicting(own_claim.shard):
            if other.key != own_claim.key and other.holder.token not in beats:
                raise self.in_use_error(other)
        for claim in dead:
            self._files.delete(claim.key)
        for claim in dead:
            if self.heartbeat(claim) not in (None, beats[claim.holder.token]):
                raise Unfinished(
                    f"{claim.holder} was silent and has come back to {self.store} just now; it will stop. "
                    f"Run the same command again."
                )
            self._files.delete(self._heartbeat_key(claim))
        if own_claim.shard is None:  # nobody else has any business here
            for key in [
                key
                for key in self._files.list(self.folder.rpartition("/")[0])
                if key not in (own_claim.key, self._heartbeat_key(own_claim))
            ]:
                self._files.delete(key)

    def still_exists(self, claim: Claim) -> bool:
        """Whether a claim is still there, and its holder's."""
        data = self._files.get(claim.key)
        return data is not None and parse_holder(data, claim.key, 0).token == claim.holder.token

    def heartbeat(self, claim: Claim) -> bytes | None:
        """What a heartbeat said last; None where there was none yet."""
        return self._files.get(self._heartbeat_key(claim))

    def renew(self, claim: Claim, beats: int) -> bool:
        """Say that a holder is alive; False where its claim is gone, by now or by then.

        It is looked for before, so as not to put anything where no store is any more, and after: who took over either
        finds it gone, or its holder alive.
        """
        if not self.still_exists(claim):
            return False
        self._files.put(self._heartbeat_key(claim), str(beats).encode())
        return self.still_exists(claim)

    def drop(self, claim: Claim) -> None:
        """Give a claim back."""
        if self.still_exists(claim):
            self._files.delete(claim.key)
            self._files.delete(self._heartbeat_key(claim))
        if self.folder == IMAGE_CLAIMS:
            self._remove_empty_folders()

    def in_use_error(self, claim: Claim) -> Unfinished:
        """What is said to whom a claim forbids the store."""
        return Unfinished(
            f"{self.store} is in use: {claim.holder} is at work on it. Wait until it is through (wholecloth "
            f"status tells how far it is), or stop it, and run "
            "the same command again; nothing was changed."
        )

    @property
    def _files(self) -> Files:
        return files_at(self.store)

    def _remove_empty_folders(self) -> None:
        """On disk, where folders stay when their files go."""
        if isinstance(self.store, Path):
            for folder in (self.store / self.folder, (self.store / self.folder).parent):
                with suppress(OSError):  # another claim is in it
                    folder.rmdir()

    def _heartbeat_key(self, claim: Claim) -> str:
        return f"{self.folder}/{claim.holder.token}.beat"

    def _matching(self, matches: Callable[[Shard | None], bool]) -> Iterator[Claim]:
        for key in list(self._files.list(self.folder)):
            match = _NAME.fullmatch(key.rpartition("/")[2])
            if match is None:
                continue
            shard = Shard(index=int(match[1]), count=int(match[2])) if match[1] else None
            # of very many shards only those are read that matter
            data = self._files.get(key) if matches(shard) else None
            if data is not None:
                yield Claim(key=key, shard=shard, number=int(match[3]), holder=parse_holder(data, key, self.patience))

    def _is_undecided(self, claim: Claim, beats: Heartbeats) -> bool:
        """Whether a holder may be alive or dead; raises Unfinished where it is alive."""
        is_running = is_alive(claim.holder)
        if is_running is False or (is_running is None and self.heartbeat(claim) == beats[claim.holder.token]):
            return is_running is None
        if self.still_exists(claim):
            raise self.in_use_error(claim)
        return False  # it was given back just now


def conflicts(other: Shard | None, shard: Shard | None) -> bool:
    """Whether a run of one shard, or of all blocks, may not begin beside that of another.

    Only shards of the same number of shards never meet.
    """
    return other is None or shard is None or other.count != shard.count or other.index == shard.index


def read_store_id(store: Place) -> str:
    """The id that a store was given when it was made; empty for one that was made before there were any."""
    return str(read_store_meta(store).get("id", ""))
