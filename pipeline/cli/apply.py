"""``wholecloth apply``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import Format, LogFormat, Quiet, StorePath
from pipeline.cli.exit import install_signal_handlers
from pipeline.cli.look import look_line

Steps = Annotated[
    Path, typer.Option("--postprocess", metavar="FILE", help="YAML file with a list of steps, as output.postprocess.")
]


def apply(store: StorePath, postprocess: Steps, log_format: LogFormat = Format.TEXT, quiet: Quiet = False) -> None:
    """Make the layer cleaned of a finished store by other steps, without its network, and its files anew."""
    install_signal_handlers()
    from pipeline.config.load import load_steps
    from pipeline.running.apply import apply_postprocess
    from pipeline.runtime.progress import progress_as

    steps = load_steps(postprocess)
    with progress_as(log_format, quiet) as progress:
        report = apply_postprocess(store, steps, progress.say, progress.overviews)
    if quiet:
        return
    for name, path in report.files.items():
        print(f"{name}: {path}")
    print(look_line(report.files))
