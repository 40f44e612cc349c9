"""``wholecloth run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import ConfigPath, Overrides
from pipeline.cli.ending import on_signals

if TYPE_CHECKING:
    from pipeline.job import Job
    from pipeline.report import Report


def run(
    config: ConfigPath,
    overrides: Overrides = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the store first, if it is one of ours.")] = False,
    profile: Annotated[Path | None, typer.Option("--profile", metavar="FILE", help="Write a trace of all blocks, for Perfetto or speedscope.")] = None,
) -> None:
    """Run a job; a job that was stopped goes on where it was."""
    from pipeline.load_config import load

    said = load(config, overrides or [])
    on_signals()
    from pipeline.progress import Progress
    from pipeline.run import execute, prepare
    from pipeline.timing.trace import recorded

    with recorded(profile) as trace:
        job = prepare(said, fresh)
        with Progress() as progress:
            report = execute(job, progress, fresh, trace)
    _say(job, report)
    if trace is not None:
        print(f"profile: {trace.words}")


def _say(job: Job, report: Report) -> None:
    """What became of it, on stdout."""
    from pipeline.plan.memory import human
    from pipeline.timing.stalls import words

    print(
        f"{report.blocks} blocks ({report.resumed} before this run, {report.empty} without a valid pixel), {report.speed:.2f} Mpx/s in {report.seconds:.1f} s"
    )
    if report.device is not None:
        print(f"device: {words(report.device, parts=job.task.device == 'cpu')}")
    print(f"memory: {human(report.peak_memory)} at the peak, {human(report.projected_memory)} projected; {job.plan.tiles.why}")
    if report.certificate is not None:
        print(f"certificate: {report.certificate['why']}")
    for name, path in report.files.items():
        print(f"{name}: {path}")
