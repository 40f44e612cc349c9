"""What a run leaves beside its blocks: report, sidecar, picture and certificate."""

from __future__ import annotations

from dataclasses import replace

from pipeline.exports import quicklook, sidecars
from pipeline.geometry.shards import Shard
from pipeline.locations import Place
from pipeline.planning.job import Job
from pipeline.quality.verify.certificate import publish, require_passed
from pipeline.quality.verify.verify import verify
from pipeline.running import engine_terms
from pipeline.running.report import Report
from pipeline.runtime.cancellation import cancel_on_error
from pipeline.runtime.progress import Progress
from pipeline.store import lifecycle as store
from pipeline.store import shards
from pipeline.store.files import Files
from pipeline.store.ledger import Ledger


def write_outputs(job: Job, report: Report, unchanged: bool) -> Report:
    """The picture and the report beside the store; a certificate holds for as long as nothing is written."""
    written = job.path.with_suffix(".report.json")
    files: dict[str, Place] = {"store": job.path, "report": written}
    certificate = store.read_store_meta(job.path).get("certificate") if unchanged else None
    if report.complete:
        extra = {"id": job.task.store_id, "certificate": certificate}
        meta = {**job.meta(), **{name: value for name, value in extra.items() if value}}
        shards.delete_shard_notes(job.path)
        files |= {
            "sidecar": sidecars.finish_store(job.path, job.spec, meta),
            "quicklook": quicklook.draw_quicklook(job.path, job.spec, job.path.with_suffix(".png")),
        }
    report = replace(
        report, peak_memory=engine_terms.peak_memory(job, report.peak_memory), certificate=certificate, files={name: str(path) for name, path in files.items()}
    )
    Files(written.parent).put(written.name, report.text().encode())
    return report


def write_shard_report(job: Job, report: Report, shard: Shard) -> Report:
    """The report of a shard, under a name of its own; the store is as unfinished as it was."""
    written = job.path.with_suffix(f".{shard.name}.report.json")
    files = {"store": str(job.path), "report": str(written)}
    if not job.complete:
        shards.write_shard_note(job.path, shard, report.complete)
    left = job.blocks - Ledger(job.path).count()
    report = replace(report, shard=str(shard), made=job.task.store_id, left=left, peak_memory=engine_terms.peak_memory(job, report.peak_memory), files=files)
    Files(written.parent).put(written.name, report.text().encode())
    return report


def ensure_certificate(job: Job, report: Report, progress: Progress) -> Report:
    """With a certificate that passes: that of an earlier run, if nothing was done since."""
    certificate = report.certificate
    if not (certificate and certificate["passed"]):
        progress.note("stage", stage="certificate")
        with cancel_on_error():
            certificate = verify(job, progress.say)
        publish(job.path, certificate)
        progress.note("certificate", passed=certificate["passed"], why=certificate["why"])
        require_passed(job.path, certificate)
        if certificate["passed"] is None:
            progress.say(certificate["why"])
    return replace(report, certificate=certificate if certificate["passed"] else None)


def failure_message(report: Report) -> str:
    """What is said of blocks that failed."""
    examples = "; ".join(f"block {f.block[0]},{f.block[1]} ({f.pixels}): {f.why}" for f in report.failures[:5])
    more = f"; and {len(report.failures) - 5} more, listed in {report.files['report']}" if len(report.failures) > 5 else ""
    rest = "; the others are committed" if len(report.failures) < report.blocks else ""
    return (
        f"{_failure_count(len(report.failures), report.blocks)} as nodata in {report.store}{rest}. {examples}{more}. Run the same command again "
        f"to try only these."
    )


def _failure_count(failures: int, blocks: int) -> str:
    if failures < blocks:
        return f"{failures} of {blocks} blocks failed and are left"
    return "The only block failed and is left" if blocks == 1 else f"All {blocks} blocks failed and are left"
