"""The composer: a job in, a report out. Everything else is a part of this line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline import terms
from pipeline.describe import describe, headline, numbers
from pipeline.engines import KINDS as ENGINES
from pipeline.errors import BlocksFailed, PlanError
from pipeline.job import Job, prepare
from pipeline.own import owned
from pipeline.place import Place, Remote
from pipeline.plan.layout import BlockIndex
from pipeline.plan.memory import human
from pipeline.plan.shards import Shard, Share
from pipeline.progress import Progress
from pipeline.protocols import Engine
from pipeline.report import Failure, Report
from pipeline.stages import pyramid, quicklook
from pipeline.stages.block import Outcome, adopt
from pipeline.stages.device import make_room
from pipeline.stages.infer import STOP
from pipeline.store import layout as store
from pipeline.store import shards
from pipeline.store.away import unless_away
from pipeline.store.files import Files
from pipeline.store.lease import confirm
from pipeline.store.ledger import Ledger
from pipeline.timing.clock import now
from pipeline.timing.trace import Trace
from pipeline.timing.watch import Watch
from pipeline.verification.certificate import demand, publish
from pipeline.verification.sound import make_sound
from pipeline.verification.verify import verify

__all__ = ["Job", "execute", "prepare"]

LEAST = 0.01
"""Bytes stored per byte of pixels, at the least that is expected."""


def execute(job: Job, progress: Progress, fresh: bool = False, trace: Trace | None = None, shard: Shard | None = None) -> Report:
    """Run what is not committed yet, then overviews, quicklook and report; then the certificate, where the config wants one.

    Parameters
    ----------
    job
        From `prepare`.
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
    with unless_away(job.path):
        return _execute(job, progress, fresh, trace, shard)


def _execute(job: Job, progress: Progress, fresh: bool, trace: Trace | None, shard: Shard | None) -> Report:
    _check_disk(job)
    if not job.complete and job.task.device == "cpu" and not terms.apart(job):
        make_room(job.plan.tensors)
    with owned(job, progress.say, fresh, shard) as ours:
        return _executed(ours, progress, trace, shard)


def _executed(job: Job, progress: Progress, trace: Trace | None, shard: Shard | None) -> Report:
    mine = None if shard is None else job.task.share(shard, job.blocks)
    make_sound(job.path, job.spec, job.resumes and not job.complete, progress.say, mine)
    share: dict[str, Any] = {} if mine is None else {"shard": str(shard), "shard_blocks": mine.count}
    progress.say(headline(job) if mine is None else f"{headline(job)}; {mine.count} blocks are those of shard {shard}", "planned", **numbers(job), **share)
    if trace is not None:
        trace.begin()
    with _engine(job, progress) as engine, _stopping():
        report = _blocks(job, progress, Watch(engine, trace), mine)
        overviews = mine is None and not report.failures and (not job.complete or _lacks_overviews(job))
        if overviews:
            progress.say("overviews", "stage", stage="overviews")
            pyramid.build(job.path, job.spec, progress.overviews, engine=Watch(engine, trace), block=_asked(job))
    confirm(job.path)
    report = _publish(job, report, unchanged=job.complete and not report.done and not overviews) if shard is None else _publish_shard(job, report, shard)
    progress.note("report", complete=report.complete, failed=len(report.failures), **report.files)
    if report.failures:
        raise BlocksFailed(_failed(report))
    return _certified(job, report, progress) if job.config.output.certificate and mine is None else report


def _check_disk(job: Job) -> None:
    """Refuse what cannot fit however well it compresses. Masks of large regions take a hundredth of their pixels or less; object storage has room."""
    if isinstance(job.path, Remote):
        return
    folder = next(parent for parent in job.path.absolute().parents if parent.is_dir())
    free, least = shutil.disk_usage(folder).free, describe(job)["output_bytes_before_compression"] * LEAST
    if free < least:
        raise PlanError(f"The store needs {human(least)} of disk at the least, but {folder} has {human(free)} free. Make room, or give another output.path.")


@dataclass(slots=True)
class _Tally:
    """What became of the blocks of this run."""

    ledger: Ledger
    done: int = 0
    empty: int = 0
    pixels: int = 0
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
        self.pixels += outcome.pixels
        self.decoded += outcome.decoded


def _blocks(job: Job, progress: Progress, watch: Watch, mine: Share | None) -> Report:
    ledger = Ledger(job.path)
    committed = ledger.committed() if mine is None else {block for row in mine.rows for block in ledger.committed_in(row) if BlockIndex(*block) in mine}
    tally, count = _Tally(ledger), job.blocks if mine is None else mine.count
    progress.start(count, len(committed))
    if len(committed) < count:
        adopt(job.task, job.network)
        pyramid.outdate(job.path, job.spec, job.plan.tiles.block, ((index.row, index.col) for index in _todo(job, mine, committed)))
        for outcome in watch(terms.task(job), _todo(job, mine, committed)):
            confirm(job.path)
            tally.add(outcome)
            if outcome.error is not None:
                progress.failed((outcome.index.row, outcome.index.col), str(outcome.window), outcome.error)
            progress.advance(outcome.pixels, watch.stalls.so_far)
    device = watch.stalls.finish(now())
    return Report(
        store=str(job.path), blocks=count, resumed=len(committed), done=tally.done, empty=tally.empty, failures=tally.failures,
        pixels=tally.pixels, decoded=tally.decoded, seconds=device.seconds, waits=tally.seconds, device=device if tally.seconds else None,
        projected_memory=job.plan.peak, peak_memory=tally.peak, plan=describe(job),
    )  # fmt: skip


def _todo(job: Job, mine: Share | None, committed: set[tuple[int, int]]) -> Iterator[BlockIndex]:
    """Blocks that are not committed, in the order in which they are read."""
    return (index for index in job.task.blocks() if (mine is None or index in mine) and (index.row, index.col) not in committed)


def _engine(job: Job, progress: Progress) -> AbstractContextManager[Engine]:
    """The engine the config names; none of its workers is started for a job that is done."""
    if job.complete:
        return ENGINES["serial"](1)
    return ENGINES[job.config.execution.engine](job.plan.workers, terms.terms(job, progress.say))


def _asked(job: Job) -> int | None:
    """Side of the blocks where only some are asked for."""
    return job.plan.tiles.block if job.task.area else None


def _lacks_overviews(job: Job) -> bool:
    return any(True for level in pyramid.levels(job.path, job.spec, _asked(job)) for _ in level.missing())


@contextmanager
def _stopping() -> Iterator[None]:
    """Whatever ends the run early also ends the tiles that are under way."""
    STOP.clear()
    try:
        yield
    except BaseException:
        STOP.set()
        raise


def _publish(job: Job, report: Report, unchanged: bool) -> Report:
    """The picture and the report beside the store; a certificate holds for as long as nothing is written."""
    written = job.path.with_suffix(".report.json")
    files: dict[str, Place] = {"store": job.path, "report": written}
    certificate = store.read_meta(job.path).get("certificate") if unchanged else None
    if report.complete:
        kept = {"id": job.task.made, "certificate": certificate}
        meta = {**job.meta(), **{name: said for name, said in kept.items() if said}}
        shards.forget(job.path)
        files |= {"sidecar": store.finish(job.path, job.spec, meta), "quicklook": quicklook.draw(job.path, job.spec, job.path.with_suffix(".png"))}
    report = replace(report, peak_memory=terms.peak(job, report.peak_memory), certificate=certificate, files={name: str(path) for name, path in files.items()})
    Files(written.parent).put(written.name, report.text().encode())
    return report


def _publish_shard(job: Job, report: Report, shard: Shard) -> Report:
    """The report of a shard, under a name of its own; the store is as unfinished as it was."""
    written = job.path.with_suffix(f".{shard.name}.report.json")
    files = {"store": str(job.path), "report": str(written)}
    if not job.complete:
        shards.tell(job.path, shard, report.complete)
    left = job.blocks - Ledger(job.path).count()
    report = replace(report, shard=str(shard), made=job.task.made, left=left, peak_memory=terms.peak(job, report.peak_memory), files=files)
    Files(written.parent).put(written.name, report.text().encode())
    return report


def _certified(job: Job, report: Report, progress: Progress) -> Report:
    """With a certificate that passes: that of an earlier run, if nothing was done since."""
    made = report.certificate
    if not (made and made["passed"]):
        progress.note("stage", stage="certificate")
        with _stopping():
            made = verify(job, progress.say)
        publish(job.path, made)
        progress.note("certificate", passed=made["passed"], why=made["why"])
        demand(job.path, made)
    return replace(report, certificate=made)


def _failed(report: Report) -> str:
    named = "; ".join(f"block {f.block[0]},{f.block[1]} ({f.pixels}): {f.why}" for f in report.failures[:5])
    more = f"; and {len(report.failures) - 5} more, listed in {report.files['report']}" if len(report.failures) > 5 else ""
    return (
        f"{len(report.failures)} of {report.blocks} blocks failed and are left as nodata in {report.store}; the others are committed. {named}{more}. "
        "Run the same command again to try only these."
    )
