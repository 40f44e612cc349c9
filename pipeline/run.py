"""The composer: a job in, a report out. Everything else is a part of this line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

from pipeline import fingerprint, terms
from pipeline.describe import describe, headline
from pipeline.engines import KINDS as ENGINES
from pipeline.errors import BlocksFailed, PlanError
from pipeline.job import Job, prepare
from pipeline.plan.memory import human
from pipeline.progress import Progress
from pipeline.protocols import Engine
from pipeline.report import Failure, Report
from pipeline.stages import pyramid, quicklook
from pipeline.stages.block import Outcome, adopt
from pipeline.stages.device import make_room
from pipeline.stages.infer import STOP
from pipeline.store import layout as store
from pipeline.store.ledger import Ledger
from pipeline.timing.clock import now
from pipeline.timing.trace import Trace
from pipeline.timing.watch import Watch
from pipeline.verification.certificate import demand, publish
from pipeline.verification.verify import verify

__all__ = ["Job", "execute", "prepare"]

LEAST = 0.01
"""Bytes stored per byte of pixels, at the least that is expected."""


def execute(job: Job, progress: Progress, fresh: bool = False, trace: Trace | None = None) -> Report:
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

    Raises
    ------
    BlocksFailed
        Some blocks failed; everything else is committed, and the report is written.
    CertificateError
        The store is not what it should be; the certificate says why, in the store and in the report.
    PlanError
        The disk cannot hold the store.
    Unfinished
        The run was stopped, or the store cannot be written.
    """
    _check_disk(job)
    if not job.complete and job.task.device == "cpu" and not terms.apart(job):
        make_room(job.plan.tensors)
    _make_store(job, fresh)
    progress.say(headline(job))
    if trace is not None:
        trace.begin()
    with _engine(job, progress) as engine, _stopping():
        report = _blocks(job, progress, Watch(engine, trace))
        overviews = not report.failures and (not job.complete or _lacks_overviews(job))
        if overviews:
            progress.say("overviews")
            pyramid.build(job.path, job.spec, engine=Watch(engine, trace), block=_asked(job))
    report = _publish(job, report, unchanged=job.complete and not report.done and not overviews)
    if report.failures:
        raise BlocksFailed(_failed(report))
    return _certified(job, report, progress) if job.config.output.certificate else report


def _check_disk(job: Job) -> None:
    """Refuse what cannot fit however well it compresses. Masks of large regions take a hundredth of their pixels or less."""
    folder = next(parent for parent in job.path.absolute().parents if parent.is_dir())
    free, least = shutil.disk_usage(folder).free, describe(job)["output_bytes_before_compression"] * LEAST
    if free < least:
        raise PlanError(f"The store needs {human(least)} of disk at the least, but {folder} has {human(free)} free. Make room, or give another output.path.")


def _make_store(job: Job, fresh: bool) -> None:
    """Create the store, or make sure that one which another run made meanwhile is of the same job."""
    if fresh and job.path.exists():
        store.delete(job.path)
    if not job.resumes and not store.create(job.path, job.spec, job.meta()):
        fingerprint.compare(store.read_meta(job.path)["fingerprint"], job.fingerprint, job.path)
    if not job.complete:
        store.sweep(job.path)


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


def _blocks(job: Job, progress: Progress, watch: Watch) -> Report:
    ledger = Ledger(job.path)
    committed = ledger.committed()
    tally = _Tally(ledger)
    progress.start(job.blocks, len(committed))
    if len(committed) < job.blocks:
        adopt(job.task, job.network)
        missing = ((index.row, index.col) for index in job.task.blocks() if (index.row, index.col) not in committed)
        pyramid.outdate(job.path, job.spec, job.plan.tiles.block, missing)
        todo = (index for index in job.task.blocks() if (index.row, index.col) not in committed)
        for outcome in watch(terms.task(job), todo):
            tally.add(outcome)
            progress.advance(outcome.pixels, watch.stalls.so_far)
    device = watch.stalls.finish(now())
    return Report(
        store=str(job.path), blocks=job.blocks, resumed=len(committed), done=tally.done, empty=tally.empty, failures=tally.failures,
        pixels=tally.pixels, decoded=tally.decoded, seconds=device.seconds, waits=tally.seconds, device=device if tally.seconds else None,
        projected_memory=job.plan.peak, peak_memory=tally.peak, plan=describe(job),
    )  # fmt: skip


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
    files = {"store": job.path, "report": written}
    certificate = store.read_meta(job.path).get("certificate") if unchanged else None
    if report.complete:
        meta = {**job.meta(), **({"certificate": certificate} if certificate else {})}
        files |= {"sidecar": store.finish(job.path, job.spec, meta), "quicklook": quicklook.draw(job.path, job.spec, job.path.with_suffix(".png"))}
    report = replace(report, peak_memory=terms.peak(job, report.peak_memory), certificate=certificate, files={name: str(path) for name, path in files.items()})
    report.write(written)
    return report


def _certified(job: Job, report: Report, progress: Progress) -> Report:
    """With a certificate that passes: that of an earlier run, if nothing was done since."""
    made = report.certificate
    if not (made and made["passed"]):
        with _stopping():
            made = verify(job, progress.say)
        publish(job.path, made)
        demand(job.path, made)
    return replace(report, certificate=made)


def _failed(report: Report) -> str:
    named = "; ".join(f"block {f.block[0]},{f.block[1]} ({f.pixels}): {f.why}" for f in report.failures[:5])
    more = f"; and {len(report.failures) - 5} more, listed in {report.files['report']}" if len(report.failures) > 5 else ""
    return (
        f"{len(report.failures)} of {report.blocks} blocks failed and are left as nodata in {report.store}; the others are committed. {named}{more}. "
        "Run the same command again to try only these."
    )
