"""``wholecloth train``."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.app import ConfigPath, Format, LogFormat, Overrides
from pipeline.cli.exit import limited, on_signals


def train(
    config: ConfigPath,
    overrides: Overrides = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, replacing what was trained before.")] = False,
    log_format: LogFormat = Format.TEXT,
) -> None:
    """Train a network; a training that was stopped goes on where it was."""
    from pipeline.config.load import load

    said = load(config, overrides or [])
    on_signals()
    from pipeline.runtime.progress import progress_as
    from pipeline.train.train import train as learn

    with limited(said.execution.stop_after), progress_as(log_format) as progress:
        made = learn(said, progress.say, fresh)
        progress.note("done", exit_code=0, **{name: str(path) for name, path in made.files.items()})
    if made.files:
        print(f"mean IoU {made.mean_iou:.4f} of the held-out blocks after round {made.best} of {made.rounds}")
    for name, path in made.files.items():
        print(f"{name}: {path}")
