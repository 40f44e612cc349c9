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
from pipeline.store.lease.claim_files import IMAGE_CLAIMS, Claim, Claims, Notify, read_store_id
from pipeline.store.lease.process_identity import is_alive, this_process

DEFAULT_LEASE_S = 30.0
"""Seconds without a heartbeat after which a holder may be taken for dead; it beats three times in them."""
VARIABLE = "WHOLECLOTH_LEASE_S"
"""Environment variable that gives another number of seconds, for storage that is slow to show what others wrote."""


class Lease:
    """A store that is held.

    While it is entered, a thread renews it; it is given back at the end, however that comes.
    """

    def __init__(self, claims: Claims, claim: Claim, stop: Callable[[], None], since: float) -> None:
        self._claims, self._claim, self._stop, self._renewed = claims, claim, stop, since
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._beats, self._taken_over = 0, False

    def __enter__(self) -> Self:
        _leases[self._claims.store] = self
        threading.Thread(target=self._send_heartbeats, name="lease", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back; whatever went wrong in a run that has lost its store is for that reason."""
        _leases.pop(self._claims.store, None)
        taken_over = error is not None and self._is_taken_over()
        self.release()
        if taken_over:
            raise self._taken_over_error() from error

    def check(self) -> None:
        """Make sure that the store is still ours; cheap while the last heartbeat is young.

        Raises
        ------
        Unfinished
            Somebody took it over, or it cannot be reached.
        """
        if self._taken_over or boot_clock() - self._renewed > self._claim.holder.patience * 2 / 3:
            self._renew()

    def release(self) -> None:
        """Give it back; nothing is said where that cannot be done, for the next one finds us dead."""
        self._stopped.set()
        locked = self._lock.acquire(timeout=5)
        with suppress(OSError):
            self._claims.drop(self._claim)
        if locked:
            self._lock.release()

    def _send_heartbeats(self) -> None:
        while not self._stopped.wait(self._claim.holder.patience / 3):
            try:
                self._renew_claim()
            except OSError:  # whoever writes next looks at how old the last one is
                continue
            if self._taken_over:
                self._stop()
                return

    def _renew(self) -> None:
        try:
            self._renew_claim()
        except OSError as error:
            raise Unfinished(
                f"{self._claims.store} cannot be reached ({error.strerror}), so that it cannot be told "
                f"whether it is still ours. Everything committed is kept; "
                "run the same command again."
            ) from error
        if self._taken_over:
            raise self._taken_over_error()

    def _renew_claim(self) -> None:
        with self._lock:
            if self._taken_over or self._stopped.is_set():
                return
            began = boot_clock()
            if self._claims.renew(self._claim, self._beats + 1):
                self._beats, self._renewed = self._beats + 1, began
            else:
                self._taken_over = True

    def _is_taken_over(self) -> bool:
        """Whether it is lost, by the store's own word where that can be had."""
        with suppress(OSError):
            self._taken_over = self._taken_over or not self._claims.still_exists(self._claim)
        return self._taken_over

    def _taken_over_error(self) -> Unfinished:
        return Unfinished(
            f"{self._claims.store} was taken over by another run, or made anew, while this one (process "
            f"{self._claim.holder.pid}) gave no sign of life for "
            f"{self._claim.holder.patience:g} s. What it committed before is kept; run the same command "
            f"again when the other run is through."
        )


_leases: dict[Place, Lease] = {}
"""Leases of this process, by store."""
_confirmed_at: dict[tuple[Place, str], float] = {}
"""When a store was last seen to be the one that it was, by id."""


def acquire(
    store: Place, shard: Shard | None, work: str, notify: Notify, stop: Callable[[], None] = lambda: None
) -> Lease:
    """Claim a store, or a shard of it.

    Parameters
    ----------
    store
        That is there.
    shard
        None for all of it. Shards of one number of shards may be held side by side; everything else excludes each
        other.
    work
        What it is wanted for, in words that others will read.
    notify
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
    return _acquire(Claims.on(store, _patience()), shard, work, notify, stop)


def _acquire(claims: Claims, shard: Shard | None, work: str, notify: Notify, stop: Callable[[], None]) -> Lease:
    try:
        claim, since = _create_claim(claims, shard, work, notify)
    except OSError as error:
        raise Unfinished(
            f"{claims.store} cannot be written ({error.strerror}). Make it writable, or make room, and run the "
            f"same command again."
        ) from error
    return Lease(claims, claim, stop, since)


def acquire_image(image: Place, work: str, notify: Notify) -> Lease:
    """Claim an image of somebody else, into which a label image is written; no other export writes into it meanwhile.

    Parameters
    ----------
    image
        Its group.
    work, notify
        As `acquire` takes them.

    Raises
    ------
    Unfinished
        Somebody else is at work on it, or it cannot be written.
    """
    return _acquire(Claims(image, IMAGE_CLAIMS, _patience()), None, work, notify, lambda: None)


def assert_held(store: Place, store_id: str = "") -> None:
    """Make sure that something may be written to a store: before chunks, and before the record that commits them.

    Parameters
    ----------
    store
        The store.
    store_id
        The id that it had when the job began, for workers in other processes than the one that holds the lease; empty
        if it had none.

    Raises
    ------
    Unfinished
        The store was taken over, was made anew, or is gone.
    """
    lease = _leases.get(store)
    if lease is not None:
        lease.check()
    elif store_id and boot_clock() - _confirmed_at.get((store, store_id), float("-inf")) > _patience() * 2 / 3:
        _check_store_id(store, store_id)


def holders(store: Place) -> list[dict[str, Any]]:
    """Who holds a store, as plain values; ``alive`` is None where that cannot be seen from here."""
    claims = Claims.on(store, _patience()).all()
    return [
        {
            "work": holder.work,
            "host": holder.host,
            "pid": holder.pid,
            "since": holder.since,
            "shard": str(claim.shard) if claim.shard else None,
            "alive": is_alive(holder),
        }
        for claim in claims
        for holder in [claim.holder]
    ]


def boot_clock() -> float:
    """Seconds of this machine alone, those included in which it sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _create_claim(claims: Claims, shard: Shard | None, work: str, notify: Notify) -> tuple[Claim, float]:
    """A claim that stands, and since when at the least, s of `boot_clock`."""
    claim = None
    while claim is None:
        existing = claims.conflicting(shard)
        beats, since = claims.wait_for_dead_holders(existing, notify), boot_clock()
        claim = claims.try_create(shard, existing, this_process(work, claims.patience))
    try:
        claims.resolve_race(claim, existing, beats)
    except BaseException:
        with suppress(OSError):
            claims.drop(claim)
        raise
    return claim, since


def _check_store_id(store: Place, store_id: str) -> None:
    now = boot_clock()
    try:
        same = read_store_id(store) == store_id
    except StoreError:
        same = False
    if not same:
        raise Unfinished(
            f"{store} is gone or was made anew since this run began, so that nothing more is written to it. "
            f"Run the job again."
        )
    _confirmed_at[store, store_id] = now


def _patience() -> float:
    text = os.environ.get(VARIABLE, "")
    try:
        seconds = float(text or DEFAULT_LEASE_S)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise ConfigError(
            f"{VARIABLE} is {text!r}. Give the seconds without a heartbeat after which a run is taken for "
            f"dead, such as 120, or leave it out."
        )
    return seconds
