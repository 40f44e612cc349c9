"""``wholecloth run``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import ConfigPath, Format, LogFormat, Out, Overrides, Quiet, SourceFile, overriding
from pipeline.cli.exit import install_signal_handlers, time_limit
from pipeline.cli.look import look_line
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.geometry.shards import Shard
    from pipeline.planning.job import Job
    from pipeline.running.report import Report


def run(
    config: ConfigPath,
    overrides: Overrides = None,
    out: Out = None,
    source: SourceFile = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the store first, if it is one of ours.")] = False,
    locked: Annotated[
        bool, typer.Option("--locked", help="Refuse a config whose plan was not frozen by `plan --freeze`.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="I/N", help="Run one of N shares of the blocks, or auto in a job array; then finish."
        ),
    ] = None,
    same_source: Annotated[
        bool,
        typer.Option(
            "--same-source", help="Take a source that lies elsewhere, or is newer, for the same without comparing."
        ),
    ] = False,
    profile: Annotated[
        Path | None,
        typer.Option("--profile", metavar="FILE", help="Write a trace of all blocks, for Perfetto or speedscope."),
    ] = None,
    log_format: LogFormat = Format.TEXT,
    quiet: Quiet = False,
) -> None:
    """Run a job; a job that was stopped goes on where it was."""
    from pipeline.runtime.collection import without_collection

    with without_collection():
        from pipeline.config.load import load_config
    own_shard = None if shard is None else _parse_shard(shard, fresh)
    job_config = load_config(config, overriding(overrides, out, source))
    _require_frozen(job_config, locked, config)
    install_signal_handlers()
    with without_collection():
        from pipeline.planning.frozen_plan import environment_differences
        from pipeline.planning.warnings import job_warnings
        from pipeline.running.blocks import begin_reading
        from pipeline.running.execute import execute, prepare_job
        from pipeline.runtime.progress import progress_as
        from pipeline.runtime.trace import open_trace

    limit, printed = time_limit(job_config.execution.stop_after), progress_as(log_format, quiet)
    with limit, open_trace(profile) as trace, printed as progress:
        silent = quiet or log_format is not Format.TEXT
        job = prepare_job(job_config, fresh, same_source, silent=silent, from_records=True)
        begin_reading(job, own_shard)
        for message in environment_differences(job_config.locked, job.task.device):
            progress.say(message, level="warning")
        for message in job.revision:
            progress.say(f"warning: {message}", level="warning")
        for message in job.remarks:
            progress.say(message)
        for message in () if job.resumes else job_warnings(job):
            progress.say(f"warning: {message}", level="warning")
        report = execute(job, progress, fresh, trace, own_shard)
        progress.note(
            "done",
            exit_code=0,
            blocks=report.blocks,
            resumed=report.resumed,
            mpx_per_s=round(report.speed, 3),
            **report.files,
        )
    if quiet:
        return
    _print_report(job, report)
    if trace is not None:
        print(f"profile: {trace.summary}")


def _require_frozen(job_config: Config, locked: bool, config: Path) -> None:
    """Raise ConfigError where a frozen plan is demanded and there is none."""
    if locked and job_config.locked is None:
        raise ConfigError(
            f"--locked demands a frozen plan, but {config} has no section locked, so that the plan would be "
            f"made anew. "
            f"Freeze it with `wholecloth plan {shlex.quote(str(config))} --freeze run.lock.yaml` and run "
            f"that file, or leave --locked away."
        )


def _parse_shard(text: str, fresh: bool) -> Shard:
    """The shard that is meant; raises ConfigError where it is none, or would delete what the others did."""
    from pipeline.geometry.shards import parse_shard

    if fresh:
        raise ConfigError(
            "--fresh deletes the store and what other shards did in it, so it does not go with --shard. "
            "Delete the store first, or give another."
        )
    return parse_shard(text, os.environ)


def _print_report(job: Job, report: Report) -> None:
    """What became of it, on stdout."""
    from pipeline.runtime.backends import backend_of
    from pipeline.runtime.device_time import device_summary
    from pipeline.runtime.resources import human

    print(
        f"{report.blocks} blocks ({report.resumed} before this run, {report.empty} without a valid pixel), "
        f"{report.speed:.2f} Mpx/s in {report.seconds:.1f} s"
    )
    for line in (*_invalid(report), *_clipped(report, job.spec.values.channels)):
        print(line)
    if report.device is not None:
        print(f"device: {device_summary(report.device, parts=not backend_of(job.task.device).copies)}")
    print(
        f"memory: {human(report.peak_memory)} at the peak, {human(report.projected_memory)} projected; "
        f"{job.plan.tiles.why}"
    )
    if report.certificate is not None:
        print(f"certificate: {report.certificate['why']}")
    for name, path in report.files.items():
        print(f"{name}: {path}")
    if report.shard is not None:
        finish = f"wholecloth finish {shlex.quote(str(report.store))}"
        print(
            f"shard {report.shard}: {report.left} of {job.blocks} blocks of the store are left; when there "
            f"are none, {finish}"
        )
    else:
        print(look_line(report.files))


def _clipped(report: Report, channels: tuple[str, ...]) -> Iterator[str]:
    """Clipped pixels by channel, as far as `_invalid` counts."""
    counts = report.clipped if report.whole is None else report.whole.get("clipped", [])
    counted = [f"{count:,} px of {name}" for name, count in zip(channels, counts, strict=False) if count]
    if counted:
        yield f"clipped: {', '.join(counted)} lie beyond what output.values_dtype holds with its scale and offset"


def _invalid(report: Report) -> Iterator[str]:
    """Invalid pixels by their cause.

    Of the whole job, where its earlier blocks are known, or else of this run's blocks, which is said.
    """
    counts = report.whole or {"pixels": report.pixels, "invalid": report.invalid}
    counted = ", ".join(f"{count:,} px {cause}" for cause, count in counts["invalid"].items())
    scope = (
        ""
        if report.whole is not None or not report.resumed
        else f" in the {report.done} blocks of this run; nothing is known of the {report.resumed} before it"
    )
    if counted or scope:
        yield f"invalid: {counted or 'none'} of {counts['pixels']:,} px{scope}"
