"""The lease: of two runs on one store at once the second is refused, and one that died is not waited for."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from pipeline.errors import ConfigError, StoreError, Unfinished
from pipeline.geometry.shards import Shard
from pipeline.locations import Place
from pipeline.store.lease.claim_files import Claim, Claims, Say, identity
from pipeline.store.lease.process_identity import alive, here

PATIENCE_S = 30.0
"""Seconds without a heartbeat after which a holder may be taken for dead; it beats three times in them."""
VARIABLE = "WHOLECLOTH_LEASE_S"
"""Environment variable that gives another number of seconds, for storage that is slow to show what others wrote."""


class Lease:
    """A store that is held. While it is entered, a thread renews it; it is given back at the end, however that comes."""

    def __init__(self, claims: Claims, claim: Claim, stop: Callable[[], None], since: float) -> None:
        self._claims, self._claim, self._stop, self._renewed = claims, claim, stop, since
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._beats, self._lost = 0, False

    def __enter__(self) -> Self:
        _held[self._claims.store] = self
        threading.Thread(target=self._keep, name="lease", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give it back; whatever went wrong in a run that has lost its store is for that reason."""
        _held.pop(self._claims.store, None)
        lost = error is not None and self._gone()
        self.release()
        if lost:
            raise self._taken() from error

    def check(self) -> None:
        """Make sure that the store is still ours; cheap while the last heartbeat is young.

        Raises
        ------
        Unfinished
            Somebody took it over, or it cannot be reached.
        """
        if self._lost or clock() - self._renewed > self._claim.holder.patience * 2 / 3:
            self._renew()

    def release(self) -> None:
        """Give it back; nothing is said where that cannot be done, for the next one finds us dead."""
        self._ended.set()
        got = self._lock.acquire(timeout=5)
        with suppress(OSError):
            self._claims.drop(self._claim)
        if got:
            self._lock.release()

    def _keep(self) -> None:
        while not self._ended.wait(self._claim.holder.patience / 3):
            try:
                self._beat()
            except OSError:  # whoever writes next looks at how old the last one is
                continue
            if self._lost:
                self._stop()
                return

    def _renew(self) -> None:
        try:
            self._beat()
        except OSError as error:
            raise Unfinished(
                f"{self._claims.store} cannot be reached ({error.strerror}), so that it cannot be told whether it is still ours. Everything committed is kept; "
                "run the same command again."
            ) from error
        if self._lost:
            raise self._taken()

    def _beat(self) -> None:
        with self._lock:
            if self._lost or self._ended.is_set():
                return
            began = clock()
            if self._claims.renew(self._claim, self._beats + 1):
                self._beats, self._renewed = self._beats + 1, began
            else:
                self._lost = True

    def _gone(self) -> bool:
        """Whether it is lost, by the store's own word where that can be had."""
        with suppress(OSError):
            self._lost = self._lost or not self._claims.stands(self._claim)
        return self._lost

    def _taken(self) -> Unfinished:
        return Unfinished(
            f"{self._claims.store} was taken over by another run, or made anew, while this one (process {self._claim.holder.pid}) gave no sign of life for "
            f"{self._claim.holder.patience:g} s. What it committed before is kept; run the same command again when the other run is through."
        )


_held: dict[Place, Lease] = {}
"""Leases of this process, by store."""
_seen: dict[tuple[Place, str], float] = {}
"""When a store was last seen to be the one that it was, by id."""


def acquire(store: Place, shard: Shard | None, work: str, say: Say, stop: Callable[[], None] = lambda: None) -> Lease:
    """Claim a store, or a shard of it.

    Parameters
    ----------
    store
        That is there.
    shard
        None for all of it. Shards of one number of shards may be held side by side; everything else excludes each other.
    work
        What it is wanted for, in words that others will read.
    say
        Told when it takes a while to find out whether another holder is alive.
    stop
        Called from another thread when the lease is lost.

    Raises
    ------
    Unfinished
        Somebody else is at work on it.
    StoreError
        There is no store of ours.
    """
    claims = Claims.on(store, _patience())
    try:
        mine, since = _claimed(claims, shard, work, say)
    except OSError as error:
        raise Unfinished(f"{store} cannot be written ({error.strerror}). Make it writable, or make room, and run the same command again.") from error
    return Lease(claims, mine, stop, since)


def confirm(store: Place, made: str = "") -> None:
    """Make sure that something may be written to a store: before chunks, and before the record that commits them.

    Parameters
    ----------
    store
        The store.
    made
        The id that it had when the job began, for workers in other processes than the one that holds the lease; empty if it had none.

    Raises
    ------
    Unfinished
        The store was taken over, was made anew, or is gone.
    """
    lease = _held.get(store)
    if lease is not None:
        lease.check()
    elif made and clock() - _seen.get((store, made), float("-inf")) > _patience() * 2 / 3:
        _recognise(store, made)


def holders(store: Place) -> list[dict[str, Any]]:
    """Who holds a store, as plain values; ``alive`` is None where that cannot be seen from here."""
    found = Claims.on(store, _patience()).all()
    return [
        {"work": one.work, "host": one.host, "pid": one.pid, "since": one.since, "shard": str(claim.shard) if claim.shard else None, "alive": alive(one)}
        for claim in found
        for one in [claim.holder]
    ]


def clock() -> float:
    """Seconds of this machine alone, those included in which it sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _claimed(claims: Claims, shard: Shard | None, work: str, say: Say) -> tuple[Claim, float]:
    """A claim that stands, and since when at the least, s of `clock`."""
    mine = None
    while mine is None:
        there = claims.against(shard)
        seen, since = claims.judge(there, say), clock()
        mine = claims.make(shard, there, here(work, claims.patience))
    try:
        claims.settle(mine, there, seen)
    except BaseException:
        with suppress(OSError):
            claims.drop(mine)
        raise
    return mine, since


def _recognise(store: Place, made: str) -> None:
    now = clock()
    try:
        same = identity(store) == made
    except StoreError:
        same = False
    if not same:
        raise Unfinished(f"{store} is gone or was made anew since this run began, so that nothing more is written to it. Run the job again.")
    _seen[store, made] = now


def _patience() -> float:
    said = os.environ.get(VARIABLE, "")
    try:
        seconds = float(said or PATIENCE_S)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise ConfigError(f"{VARIABLE} is {said!r}. Give the seconds without a heartbeat after which a run is taken for dead, such as 120, or leave it out.")
    return seconds
