"""A job's store, made if need be and held against every other run for as long as the job is at work on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from pipeline import fingerprint
from pipeline.job import Job, prepare
from pipeline.place import Place
from pipeline.plan.shards import Shard
from pipeline.stages.stop import STOP
from pipeline.store import layout as store
from pipeline.store.lease import acquire


@contextmanager
def owned(job: Job, say: Callable[[str], None], fresh: bool = False, shard: Shard | None = None) -> Iterator[Job]:
    """Make the store, or take the one that is there, and hold it.

    Parameters
    ----------
    job
        From `prepare`.
    say
        Told what is waited for.
    fresh
        Delete the store first, if it is one of ours and nobody is at work on it.
    shard
        Hold this shard alone.

    Yields
    ------
    Job
        The same, with the plan of the store: of several runs that start together one makes it, and all others take its plan.

    Raises
    ------
    Unfinished
        Somebody else is at work on the store.
    StoreError
        It is of another job, or cannot be made or deleted.
    """
    if fresh and store.exists(job.path):
        _delete(job.path, say)
    if not job.resumes and not store.create(job.path, job.spec, {**job.meta(), "id": uuid.uuid4().hex}):
        say(f"another run has made {job.path} just now; its plan is taken")
        job = prepare(job.config)
    with acquire(job.path, shard, "a run" if shard is None else f"a run of shard {shard}", say, STOP.set):
        meta = store.read_meta(job.path, "fingerprint")
        fingerprint.compare(meta["fingerprint"], job.fingerprint, job.path)  # it may be another than the one that was prepared for
        store.sweep_beside(job.path)
        if not meta.get("complete"):
            store.sweep(job.path)
        yield replace(job, complete=bool(meta.get("complete")), task=replace(job.task, made=meta.get("id", "")))


def _delete(path: Place, say: Callable[[str], None]) -> None:
    """Delete a store that nobody is at work on; what held it meanwhile goes with it."""
    if store.is_claimed(path):  # what is left of one: nobody can be at work on it
        store.delete(path)
        return
    lease = acquire(path, None, "a run that begins anew", say)
    try:
        store.delete(path)
    except BaseException:
        lease.release()
        raise
