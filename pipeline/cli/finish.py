"""``wholecloth finish``."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.app import Format, LogFormat, Quiet, SourceFile, StorePath
from pipeline.cli.exit import install_signal_handlers
from pipeline.cli.look import look_line


def finish(
    store: StorePath,
    source: SourceFile = None,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Run code that the model's description brings or names, for a certificate."),
    ] = False,
    log_format: LogFormat = Format.TEXT,
    quiet: Quiet = False,
) -> None:
    """Finish a store whose blocks are all there, such as one that shards made: overviews, sidecars, picture, report."""
    install_signal_handlers()
    from pipeline.running.finish import complete_store as complete
    from pipeline.runtime.progress import progress_as

    with progress_as(log_format, quiet) as progress:
        report = complete(store, progress.say, progress.overviews, source, trust)
    if quiet:
        return
    print(f"{report.blocks} blocks, all committed")
    if report.certificate is not None:
        print(f"certificate: {report.certificate['why']}")
    for name, path in report.files.items():
        print(f"{name}: {path}")
    print(look_line(report.files))
