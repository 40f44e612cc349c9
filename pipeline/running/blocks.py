"""Block after block through the engine, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.shards import Share
from pipeline.inference.block_task import Outcome, adopt
from pipeline.locations import Remote
from pipeline.planning.describe import describe, room
from pipeline.planning.job import Job
from pipeline.running import engine_terms
from pipeline.running.report import Failure, Report
from pipeline.runtime.clock import now
from pipeline.runtime.device import make_room
from pipeline.runtime.progress import Progress
from pipeline.runtime.timed_engine import Watch
from pipeline.store import overviews
from pipeline.store.invalid_counts import Counts, counts
from pipeline.store.lease.lease import confirm
from pipeline.store.ledger import Ledger

CHEAP = 20_000
"""Records of a complete store that are read for the report alone; an incomplete one has its records looked at in any case."""


@dataclass(slots=True)
class Tally:
    """What became of the blocks of this run."""

    ledger: Ledger
    done: int = 0
    empty: int = 0
    counts: Counts = field(default_factory=Counts)
    decoded: int = 0
    peak: int = 0
    failures: list[Failure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one block; a failure is noted in the ledger, so that `status` can tell."""
        self.peak = max(self.peak, outcome.peak)
        for stage, seconds in outcome.timing.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        if outcome.error is not None:
            block = (outcome.index.row, outcome.index.col)
            self.ledger.fail(block, outcome.error)
            self.failures.append(Failure(block=block, pixels=str(outcome.window), why=outcome.error))
            return
        self.done += 1
        self.empty += not outcome.inferred
        self.counts.add(outcome.pixels, outcome.invalid)
        self.decoded += outcome.decoded


def blocks(job: Job, progress: Progress, watch: Watch, mine: Share | None) -> Report:
    """Run those that are not committed, of all or of a share; the report says nothing of files yet."""
    ledger = Ledger(job.path)
    committed = _committed(job, ledger, mine)
    tally, count, resumed = Tally(ledger), job.blocks if mine is None else mine.count, int(committed.sum())
    progress.start(count, resumed)
    if resumed < count:
        if job.resumes:  # whoever makes a store has it laid out meanwhile
            lay_out(job)
        adopt(job.task, job.network)
        overviews.outdate(job.path, job.spec, job.plan.tiles.block, ((index.row, index.col) for index in _todo(job, mine, committed)))
        for outcome in watch(engine_terms.task(job), _todo(job, mine, committed)):
            confirm(job.path)
            tally.add(outcome)
            if outcome.error is not None:
                progress.failed((outcome.index.row, outcome.index.col), str(outcome.window), outcome.error)
            progress.advance(outcome.pixels, watch.stalls.so_far)
    device = watch.stalls.finish(now())
    return Report(
        store=str(job.path), blocks=count, resumed=resumed, done=tally.done, empty=tally.empty, failures=tally.failures, pixels=tally.counts.pixels,
        invalid=tally.counts.invalid, whole=_whole(job, ledger, committed, tally.counts),
        decoded=tally.decoded, seconds=device.seconds, waits=tally.seconds, device=device if tally.seconds else None,
        projected_memory=job.plan.peak, peak_memory=tally.peak, plan=describe(job),
    )  # fmt: skip


def lay_out(job: Job) -> None:
    """Have memory laid out for the tensors of the first tiles, where this process computes them on the CPU."""
    if job.task.device == "cpu" and not engine_terms.apart(job):
        make_room(room(job))


def _committed(job: Job, ledger: Ledger, mine: Share | None) -> npt.NDArray[np.bool_]:
    """(rows, cols) of blocks: which of this run's are committed. A byte each, since there may be millions."""
    found = np.zeros(job.task.layout.shape, dtype=bool)
    listed = ledger.listed() if mine is None else (block for row in mine.rows for block in ledger.committed_in(row) if BlockIndex(*block) in mine)
    for row, col in listed:
        if row < found.shape[0] and col < found.shape[1]:
            found[row, col] = True
    return found


def _whole(job: Job, ledger: Ledger, committed: npt.NDArray[np.bool_], done: Counts) -> dict[str, Any] | None:
    """Pixels of this run's blocks and of those that were committed before it, by their records; None where these are not read, or do not say."""
    if isinstance(job.path, Remote) or (job.complete and committed.sum() > CHEAP):
        before = None if committed.any() else Counts()
    else:
        before = counts(ledger, ((int(row), int(col)) for row, col in np.argwhere(committed)))
    if before is None:
        return None
    before.add(done.pixels, done.invalid)
    return before.recorded()


def _todo(job: Job, mine: Share | None, committed: npt.NDArray[np.bool_]) -> Iterator[BlockIndex]:
    """Blocks that are not committed, in the order in which they are read."""
    return (index for index in job.task.blocks() if (mine is None or index in mine) and not committed[index.row, index.col])
