"""What a run leaves beside its blocks: report, sidecar, picture and certificate."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.exports import delete_exports
from pipeline.geometry.shards import Shard
from pipeline.planning.job import Job
from pipeline.running import engine_options
from pipeline.running.outputs import (
    Outputs,
    with_certificate,
    write_outputs,
    write_report,
    write_report_and_page,
)
from pipeline.running.report import Report
from pipeline.runtime.cancellation import cancel_on_error
from pipeline.runtime.progress import Progress
from pipeline.store import lifecycle as store
from pipeline.store import shards
from pipeline.store.cleaned import ROOT_KEY
from pipeline.store.ledger import Ledger


def publish_run(job: Job, report: Report, unchanged: bool) -> Report:
    """The picture and the report beside the store; a certificate holds for as long as nothing is written."""
    outputs, wants_page = Outputs(files={}), job.config.output.report
    meta = store.read_store_meta(job.path)
    certificate = meta.get("certificate") if unchanged else None
    if report.complete:
        extra = {"id": job.task.store_id, "certificate": certificate, ROOT_KEY: meta.get(ROOT_KEY)}
        spec = job.spec.with_cleaned if ROOT_KEY in meta else job.spec
        stated = {name: value for name, value in extra.items() if value}
        outputs = write_outputs(job.path, spec, {**job.meta(), **stated}, unchanged, wants_page)
    else:
        delete_exports(job.path)
    report = replace(report, peak_memory=engine_options.peak_memory(job, report.peak_memory), certificate=certificate)
    return write_report_and_page(job.path, report, outputs, wants_page)


def write_shard_report(job: Job, report: Report, shard: Shard) -> Report:
    """The report of a shard, under a name of its own; the store is as unfinished as it was."""
    if not job.complete:
        shards.write_shard_note(job.path, shard, report.complete)
    left = job.blocks - Ledger(job.path).count()
    report = replace(
        report,
        shard=str(shard),
        made=job.task.store_id,
        left=left,
        peak_memory=engine_options.peak_memory(job, report.peak_memory),
    )
    return write_report(report, job.path.with_suffix(f".{shard.name}.report.json"), {})


def ensure_certificate(job: Job, report: Report, progress: Progress) -> Report:
    """With a certificate that passes: that of an earlier run, if nothing was done since."""

    def verified() -> dict[str, Any]:
        # most runs make none
        from pipeline.quality.verify.seam_examples import write_examples
        from pipeline.quality.verify.verify import verify

        progress.note("stage", stage="certificate")
        with cancel_on_error():
            return verify(job, progress.say, notify=progress.status, keep=partial(write_examples, job.path))

    def note(made: dict[str, Any]) -> None:
        progress.note("certificate", passed=made["passed"], why=made["why"])

    return with_certificate(job.path, report, verified, progress.say, note)


def failure_message(report: Report) -> str:
    """What is said of blocks that failed."""
    examples = "; ".join(f"block {f.block[0]},{f.block[1]} ({f.pixels}): {f.why}" for f in report.failures[:5])
    more = (
        f"; and {len(report.failures) - 5} more, listed in {report.files['report']}" if len(report.failures) > 5 else ""
    )
    rest = "; the others are committed" if len(report.failures) < report.blocks else ""
    return (
        f"{_failure_count(len(report.failures), report.blocks)} as nodata in {report.store}{rest}. "
        f"{examples}{more}. Run the same command again "
        f"to try only these."
    )


def _failure_count(failures: int, blocks: int) -> str:
    if failures < blocks:
        return f"{failures} of {blocks} blocks failed and are left"
    return "The only block failed and is left" if blocks == 1 else f"All {blocks} blocks failed and are left"
