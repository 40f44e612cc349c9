"""``wholecloth verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.app import AsJson, Format, LogFormat, Overrides, StorePath, tell
from pipeline.cli.exit import on_signals


def verify(
    store: StorePath,
    windows: Annotated[int, typer.Option(min=0, help="Seams that are looked at, and as many places far from them; with as many as blocks, every block.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the draw of windows.")] = 0,
    tolerance: Annotated[float | None, typer.Option(min=0.0, help="Largest error at seams, in standard deviations of the logits.")] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    log_format: LogFormat = Format.TEXT,
) -> None:
    """Prove a store: every chunk is read, and seams are inferred again with wider halos; writes the certificate."""
    on_signals()
    from pipeline.quality.verify import certificate
    from pipeline.quality.verify.verify import job_of
    from pipeline.quality.verify.verify import verify as look
    from pipeline.runtime.progress import progress_as

    with progress_as(log_format) as progress:
        job = job_of(store, overrides or [])
        made = look(job, progress.say, windows=windows, seed=seed, tolerance=tolerance)
        written = certificate.publish(store, made)
        progress.note("certificate", passed=made["passed"], why=made["why"], report=str(written))
    tell([*certificate.lines(store, made), ("report", str(written))], made if as_json else None)
    certificate.demand(store, made)
