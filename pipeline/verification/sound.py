"""What a run looks at before it goes on with a store: arrays as its job makes them, and records whose chunks are there."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import StoreError
from pipeline.job import Job
from pipeline.plan.layout import BlockIndex
from pipeline.plan.shards import Share
from pipeline.store.ledger import Ledger
from pipeline.store.lost import forget_lost
from pipeline.verification import arrays


def make_sound(job: Job, say: Callable[[str], None], mine: Share | None = None) -> None:
    """Refuse a store that lost its arrays, and forget blocks of an unfinished one that lost their chunks. No chunk is read: `verify` does that.

    Parameters
    ----------
    job
        Whose store is there.
    say
        Told how many blocks are forgotten.
    mine
        The blocks that this run answers for, or None for all, and the overviews.

    Raises
    ------
    StoreError
        The arrays are gone, or not those of the job.
    """
    levels = range(job.spec.levels)
    for level in levels:
        for _, why in arrays.wrong(job.path, job.spec, level):
            raise StoreError(f"{job.path} is damaged: {why} (level {level}). Put its metadata back from a copy, or make the store anew: run with --fresh.")
    lost = _forget(job, mine) if job.resumes and not job.complete else 0
    if lost:
        say(f"{lost} commit records cannot be read or name chunks that are gone; their blocks are made anew")


def _forget(job: Job, mine: Share | None) -> int:
    if mine is None:
        return sum(forget_lost(job.path, level) for level in range(job.spec.levels))
    ledger = Ledger(job.path)
    return forget_lost(job.path, 0, (block for row in mine.rows for block in ledger.committed_in(row) if BlockIndex(*block) in mine))
