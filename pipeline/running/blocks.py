"""Block after block through the engine, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.shards import Shard, ShardBlocks
from pipeline.inference.block_task import BlockResult
from pipeline.inference.opened_networks import reuse_network
from pipeline.locations import Remote
from pipeline.planning.describe import describe, room
from pipeline.planning.job import Job
from pipeline.privacy.concealed import concealed
from pipeline.running import engine_options
from pipeline.running.report import Failure, Report
from pipeline.runtime.backends import backend_of
from pipeline.runtime.clock import now
from pipeline.runtime.device import prefault_memory
from pipeline.runtime.progress import Progress
from pipeline.runtime.timed_engine import TimedEngine
from pipeline.sources.wrappers.read_timeout import hanging
from pipeline.store import overviews
from pipeline.store.cleaned import forget_cleaned
from pipeline.store.instances import hide_instances
from pipeline.store.invalid_counts import InvalidCounts, counts
from pipeline.store.lease.lease import assert_held
from pipeline.store.ledger import Ledger

MAX_RECORDS_FOR_REPORT = 20_000
"""Records of a complete store that are read for the report alone; an incomplete one has its records looked at in any
case."""


@dataclass(slots=True)
class RunCounts:
    """What became of the blocks of this run."""

    ledger: Ledger
    done: int = 0
    empty: int = 0
    counts: InvalidCounts = field(default_factory=InvalidCounts)
    decoded: int = 0
    peak: int = 0
    failures: list[Failure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, outcome: BlockResult) -> None:
        """Count one block; a failure is noted in the ledger, so that `status` can tell."""
        self.peak = max(self.peak, outcome.peak)
        for stage, seconds in outcome.timing.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        if outcome.error is not None:
            block = (outcome.index.row, outcome.index.col)
            self.ledger.fail(block, concealed(outcome.error))
            self.failures.append(Failure(block=block, pixels=str(outcome.window), why=outcome.error))
            return
        self.done += 1
        self.empty += not outcome.inferred
        self.counts.add(outcome.pixels, outcome.invalid, outcome.clipped)
        self.decoded += outcome.decoded


def run_blocks(job: Job, progress: Progress, watch: TimedEngine, shard_blocks: ShardBlocks | None) -> Report:
    """Run those that are not committed, of all or of a share; the report says nothing of files yet."""
    ledger = Ledger(job.path)
    committed = _committed(job, ledger, shard_blocks)
    run_counts, count, resumed = (
        RunCounts(ledger),
        job.blocks if shard_blocks is None else shard_blocks.count,
        int(committed.sum()),
    )
    facts = job.config.execution.facts
    progress.start(
        count,
        resumed,
        in_flight=job.plan.workers,
        memory=job.plan.budget,
        is_local=facts.starts_processes or not facts.out_of_process,
        hanging=hanging,
    )
    if resumed < count:
        if job.resumes:  # whoever makes a store has it laid out meanwhile
            prefault_tile_memory(job)
        reuse_network(job.task, job.network, job.cropped)
        forget_cleaned(job.path)
        hide_instances(job.path)
        overviews.invalidate_above(
            job.path,
            job.spec,
            job.plan.tiles.block,
            ((index.row, index.col) for index in _todo(job, shard_blocks, committed)),
        )
        for outcome in watch(engine_options.worker_task(job), _todo(job, shard_blocks, committed)):
            assert_held(job.path)
            run_counts.add(outcome)
            if outcome.error is not None:
                progress.failed((outcome.index.row, outcome.index.col), str(outcome.window), outcome.error)
            progress.advance(outcome.pixels, watch.accounts.so_far)
    device = watch.accounts.finish(now())
    return Report(
        store=str(job.path),
        blocks=count,
        resumed=resumed,
        done=run_counts.done,
        empty=run_counts.empty,
        failures=run_counts.failures,
        pixels=run_counts.counts.pixels,
        invalid=run_counts.counts.invalid,
        clipped=run_counts.counts.clipped,
        whole=_whole(job, ledger, committed, run_counts.counts),
        decoded=run_counts.decoded,
        seconds=device.seconds,
        waits=run_counts.seconds,
        device=device if run_counts.seconds else None,
        projected_memory=job.plan.peak,
        peak_memory=run_counts.peak,
        plan=describe(job),
    )


def begin_reading(job: Job, shard: Shard | None = None) -> None:
    """Have the first block read while the store is made, where this process runs it.

    A store that is there has blocks already, and a shard's first block is that of its share.
    """
    if not (job.resumes or job.provisional or shard is not None or engine_options.is_out_of_process(job)):
        job.task.begin_reading()


def prefault_tile_memory(job: Job) -> None:
    """Have memory laid out for the tensors of the first tiles, where this process computes them by torch on the CPU.

    Other runtimes take it in one piece, which fits not into what was laid out once their weights lie in there.
    """
    by_torch = not (job.task.runtime_shape or job.task.on_arrays)
    if by_torch and not backend_of(job.task.device).copies and not engine_options.is_out_of_process(job):
        prefault_memory(room(job))


def _committed(job: Job, ledger: Ledger, shard_blocks: ShardBlocks | None) -> npt.NDArray[np.bool_]:
    """(rows, cols) of blocks: which of this run's are committed. A byte each, since there may be millions."""
    committed = np.zeros(job.task.layout.shape, dtype=bool)
    listed = (
        ledger.listed()
        if shard_blocks is None
        else (
            block
            for row in shard_blocks.rows
            for block in ledger.committed_in(row)
            if BlockIndex(*block) in shard_blocks
        )
    )
    for row, col in listed:
        if row < committed.shape[0] and col < committed.shape[1]:
            committed[row, col] = True
    return committed


def _whole(job: Job, ledger: Ledger, committed: npt.NDArray[np.bool_], done: InvalidCounts) -> dict[str, Any] | None:
    """Pixels of this run's blocks and of those that were committed before it, by their records.

    None where these are not read, or do not say.
    """
    if isinstance(job.path, Remote) or (job.complete and committed.sum() > MAX_RECORDS_FOR_REPORT):
        earlier = None if committed.any() else InvalidCounts()
    else:
        earlier = counts(ledger, ((int(row), int(col)) for row, col in np.argwhere(committed)))
    if earlier is None:
        return None
    earlier.add(done.pixels, done.invalid, done.clipped)
    return earlier.recorded()


def _todo(job: Job, shard_blocks: ShardBlocks | None, committed: npt.NDArray[np.bool_]) -> Iterator[BlockIndex]:
    """Blocks that are not committed, in the order in which they are read."""
    return (
        index
        for index in job.task.blocks()
        if (shard_blocks is None or index in shard_blocks) and not committed[index.row, index.col]
    )
