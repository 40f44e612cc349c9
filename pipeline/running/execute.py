"""The composer: a job in, a report out. Everything else is a part of this line."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from pipeline.engines import KINDS as ENGINES
from pipeline.errors import BlocksFailed
from pipeline.exports import check_exports
from pipeline.geometry.shards import Shard
from pipeline.inference.first_read import drop_first_read
from pipeline.interfaces import Engine
from pipeline.planning.describe import headline, plan_metrics
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.postprocess.cleaning import make_cleaned, resolve_cleaning
from pipeline.reports.page import page_place
from pipeline.running import engine_options
from pipeline.running.blocks import begin_reading, prefault_tile_memory, run_blocks
from pipeline.running.disk import check_job_disk
from pipeline.running.estimate import estimate_numbers
from pipeline.running.hold_store import hold_store
from pipeline.running.publish import ensure_certificate, failure_message, publish_run, write_shard_report
from pipeline.running.report import Report
from pipeline.running.resume_check import check_before_resume
from pipeline.runtime.cancellation import cancel_on_error
from pipeline.runtime.progress import Progress
from pipeline.runtime.timed_engine import TimedEngine
from pipeline.runtime.trace import Trace
from pipeline.store import overviews as pyramid
from pipeline.store.files.outage import outage_as_unfinished
from pipeline.store.lease.lease import assert_held
from pipeline.store.lifecycle import read_store_meta

__all__ = ["Job", "execute", "prepare_job"]


def execute(
    job: Job, progress: Progress, fresh: bool = False, trace: Trace | None = None, shard: Shard | None = None
) -> Report:
    """Run what is not committed yet, then overviews, the layer ``cleaned``, quicklook and report.

    Then the certificate, where the config wants one.

    Parameters
    ----------
    job
        From `prepare_job`.
    progress
        Told of every block.
    fresh
        Delete the store first, if it is one of ours.
    trace
        Given every block, of overviews as well.
    shard
        Run its blocks alone, and leave everything that needs all of them to whoever finishes the store.

    Raises
    ------
    BlocksFailed
        Some blocks failed; everything else is committed, and the report is written.
    CertificateError
        The store is not what it should be; the certificate says why, in the store and in the report.
    PlanError
        The disk cannot hold the store.
    StoreError
        The store is damaged.
    Unfinished
        The run was stopped, the store cannot be written, or somebody else is at work on it.
    """
    with outage_as_unfinished(job.path):
        begin_reading(job, shard)
        try:
            return _execute(job, progress, fresh, trace, shard)
        finally:
            drop_first_read()


def _execute(job: Job, progress: Progress, fresh: bool, trace: Trace | None, shard: Shard | None) -> Report:
    check_job_disk(job)
    check_exports(job.path, job.finished_spec, job.meta())
    if job.config.output.report:
        page_place(job.path)  # refused now, rather than when all is done
    job = estimate_numbers(job, progress, shard, fresh)
    if not job.resumes:
        prefault_tile_memory(job)
    with hold_store(job, progress.say, fresh, shard) as held_job:
        return _run_held_job(held_job, progress, trace, shard)


def _run_held_job(job: Job, progress: Progress, trace: Trace | None, shard: Shard | None) -> Report:
    shard_blocks = None if shard is None else job.task.share(shard, job.blocks)
    check_before_resume(job.path, job.spec, job.resumes and not job.complete, progress.say, shard_blocks)
    share: dict[str, Any] = {} if shard_blocks is None else {"shard": str(shard), "shard_blocks": shard_blocks.count}
    progress.say(
        headline(job)
        if shard_blocks is None
        else f"{headline(job)}; {shard_blocks.count} blocks are those of shard {shard}",
        "planned",
        **plan_metrics(job),
        **share,
    )
    for note in job.source.notes:
        progress.say(f"source: {note}", "source")
    if trace is not None:
        trace.begin()
    with _engine(job, progress) as engine, cancel_on_error():
        report = run_blocks(job, progress, TimedEngine(engine, trace), shard_blocks)
        overviews = shard_blocks is None and not report.failures and (not job.complete or _lacks_overviews(job))
        if overviews:
            progress.say("overviews", "stage", stage="overviews")
            pyramid.build_overviews(
                job.path,
                job.spec,
                progress.overviews,
                engine=TimedEngine(engine, trace),
                block=_partial_block_side(job),
            )
        cleaned = shard_blocks is None and not report.failures and _clean(job, progress, TimedEngine(engine, trace))
    assert_held(job.path)
    report = (
        publish_run(job, report, unchanged=job.complete and not report.done and not overviews and not cleaned)
        if shard is None
        else write_shard_report(job, report, shard)
    )
    progress.note("report", complete=report.complete, failed=len(report.failures), **report.files)
    if report.failures:
        raise BlocksFailed(failure_message(report))
    return (
        ensure_certificate(job, report, progress) if job.config.output.certificate and shard_blocks is None else report
    )


def _engine(job: Job, progress: Progress) -> AbstractContextManager[Engine]:
    """The engine the config names; none of its workers is started for a job that is done."""
    if job.complete:
        return ENGINES["serial"](1)
    return ENGINES[job.config.execution.engine](job.plan.workers, engine_options.engine_options(job, progress.say))


def _clean(job: Job, progress: Progress, engine: TimedEngine) -> bool:
    """Make what is missing of the layer ``cleaned``; whether anything was."""
    meta = read_store_meta(job.path, "fingerprint")
    cleaning = resolve_cleaning(job.config.output.postprocess, meta, meta["fingerprint"], job.spec)
    if cleaning is None:
        return False
    if cleaning.is_stored:
        progress.say(f"output.postprocess is not given: {job.path} keeps its layer cleaned, by {cleaning.sentence}")
    return make_cleaned(job.path, job.spec, cleaning, progress.say, engine=engine, progress=progress.overviews)


def _partial_block_side(job: Job) -> int | None:
    """Side of the blocks where only some are asked for."""
    return job.plan.tiles.block if job.task.area else None


def _lacks_overviews(job: Job) -> bool:
    return any(True for level in pyramid.levels(job.path, job.spec, _partial_block_side(job)) for _ in level.missing())
