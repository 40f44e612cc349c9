"""The certificate of a store, from its job."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from pipeline.config.load import checked
from pipeline.errors import StoreError
from pipeline.inference.block_task import adopt
from pipeline.locations import Place
from pipeline.planning.job import Job, prepare
from pipeline.quality.verify import wide_halo_reference
from pipeline.quality.verify.certificate import Certificate, examined, uncovered
from pipeline.quality.verify.coverage import cover
from pipeline.quality.verify.faults import Faults
from pipeline.quality.verify.seam_check import PASSED_OVER, Examination
from pipeline.quality.verify.verdict import promised
from pipeline.store.lifecycle import open_afresh, read_meta

WINDOWS = 16
"""Seams that are looked at when nothing is said."""
INTERVAL_S = 10.0
"""Seconds between lines of progress."""


def verify(job: Job, say: Callable[[str], None], *, windows: int = WINDOWS, seed: int = 0, tolerance: float | None = None) -> Certificate:
    """Look at every chunk, then at seams; nothing is written.

    Parameters
    ----------
    job
        Prepared, of a store that is there.
    say
        Told how far it is.
    windows, seed
        How many seams are looked at, each with a place far from seams, and of which draw. With as many windows as blocks
        every block is looked at.
    tolerance
        Largest error of a logit at seams, in standard deviations of the logits, instead of what the plan promises.

    Raises
    ------
    Unfinished
        It was asked to stop.
    """
    open_afresh()
    tell = _seldom(say)
    found = cover(job, lambda done, total: tell(f"{done:,} of {total:,} blocks read"), PASSED_OVER * windows, Random(seed))
    if found.faults.count:
        return uncovered(found)
    say(f"{found.chunks:,} chunks of {found.blocks:,} blocks are as they were committed; looking at {windows} seams")
    adopt(job.task, job.network)
    seen = Examination(job=job, around=wide_halo_reference.frame(job), faults=Faults(), tell=tell)
    seen.look(found.draws[0], windows, seed)
    if not seen.faults.count:
        seen.overviews(found.draws[1:], windows, seed)
    return examined(job, found, seen, promised(job, tolerance, seen.control), seed, windows)


def job_of(store: Place, overrides: list[str]) -> Job:
    """The job that a store was made by.

    Parameters
    ----------
    store
        May have been moved since.
    overrides
        ``key.path=value``, as for `run`.

    Raises
    ------
    InputError
        There is no store of ours, or its source or network is gone or another one.
    PlanError
        Its tiles do not fit the memory.
    """
    meta = read_meta(store)
    if "given" not in meta:
        raise StoreError(
            f"{store} was made before stores kept their config as it was given. Run its job once more, which changes no pixel, and verify it then."
        )
    config = checked(meta["given"], overrides, store)
    return prepare(config.model_copy(update={"output": config.output.model_copy(update={"path": store})}))


def _seldom(say: Callable[[str], None]) -> Callable[[str], None]:
    """Of very many lines, one in a while."""
    last = time.monotonic()

    def tell(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= INTERVAL_S:
            last = time.monotonic()
            say(line)

    return tell
