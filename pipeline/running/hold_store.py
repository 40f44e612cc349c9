"""A job's store, made if need be and held against every other run for as long as the job is at work on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pipeline.errors import StoreError
from pipeline.exports import sidecars
from pipeline.geometry.shards import Shard
from pipeline.locations import Place
from pipeline.planning import fingerprint
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.planning.sameness import check_pixels
from pipeline.reports.page import delete_page
from pipeline.runtime.cancellation import CANCELLED
from pipeline.store import lifecycle as store
from pipeline.store.lease.lease import acquire
from pipeline.store.made_here import note_made_here


@contextmanager
def hold_store(job: Job, say: Callable[[str], None], fresh: bool = False, shard: Shard | None = None) -> Iterator[Job]:
    """Make the store, or take the one that is there, and hold it.

    Parameters
    ----------
    job
        From `prepare_job`.
    say
        Told what is waited for.
    fresh
        Delete the store first, if it is one of ours and nobody is at work on it.
    shard
        Hold this shard alone.

    Yields
    ------
    Job
        The same, with the plan of the store: of several runs that start together one makes it, and all others take its
        plan.

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
        job = prepare_job(job.config, same_source=job.same_source)
    with acquire(job.path, shard, "a run" if shard is None else f"a run of shard {shard}", say, CANCELLED.set):
        meta = store.read_store_meta(job.path, "fingerprint")
        # it may be another than the one that was prepared for
        if fingerprint.compare(meta["fingerprint"], job.fingerprint, job.path):
            raise StoreError(
                f"{job.path} was given another source by another run just now (source.path, or when it was "
                f"written). Run the job again."
            )
        if job.moved and job.resumes:
            job = _check_moved_source(job, meta, shard, say)
        store.remove_partials_beside(job.path)
        if not meta.get("complete"):
            store.remove_partial_files(job.path)
        note_made_here({"id": meta.get("id"), "config": job.meta()["config"]})
        yield replace(job, complete=bool(meta.get("complete")), task=replace(job.task, store_id=meta.get("id", "")))


def _check_moved_source(job: Job, meta: dict[str, Any], shard: Shard | None, say: Callable[[str], None]) -> Job:
    """The job, once its source was seen to give the same pixels.

    The store then says where it is, unless shards hold it together.
    """
    if not job.same_source:
        check_pixels(job, None if shard is None else job.task.share(shard, job.blocks), say)
    if shard is not None:
        return job
    stored = {**{key: value for key, value in meta["fingerprint"].items() if key not in fingerprint.MOVED}, **job.moved}
    store.restate(job.path, {**meta, "fingerprint": stored})
    return replace(job, fingerprint=stored)


def _delete(path: Place, say: Callable[[str], None]) -> None:
    """Delete a store that nobody is at work on; what held it meanwhile goes with it."""
    if store.is_half_created(path):  # what is left of one: nobody can be at work on it
        sidecars.delete_store(path)
        return
    lease = acquire(path, None, "a run that begins anew", say)
    try:
        with store.undeletable(path):
            delete_page(path)
        sidecars.delete_store(path)
    except BaseException:
        lease.release()
        raise
