"""``wholecloth train``."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from pipeline.cli.app import ConfigPath, Format, LogFormat, Overrides, Quiet
from pipeline.cli.exit import install_signal_handlers, time_limit


def train(
    config: ConfigPath,
    overrides: Overrides = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, replacing what was trained before.")] = False,
    log_format: LogFormat = Format.TEXT,
    quiet: Quiet = False,
) -> None:
    """Train a network; a training that was stopped goes on where it was."""
    from pipeline.runtime.collection import without_collection

    with without_collection():
        from pipeline.config.load import load_config

        job_config = load_config(config, overrides or [])
        install_signal_handlers()
        from pipeline.runtime.progress import progress_as
        from pipeline.train.train import train as learn

    with time_limit(job_config.execution.stop_after), progress_as(log_format, quiet) as progress:
        training = learn(job_config, progress.say, fresh)
        progress.note("done", exit_code=0, **{name: str(path) for name, path in training.files.items()})
    if quiet or not training.files:
        return
    print(f"mean IoU {training.mean_iou:.4f} of the held-out blocks after round {training.best} of {training.rounds}")
    for name, path in training.files.items():
        print(f"{name}: {path}")
    print(f"next: wholecloth run {shlex.quote(str(config))}")
