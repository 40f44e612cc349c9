"""``wholecloth verify``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from pipeline.cli.app import AsJson, Format, LogFormat, Overrides, Quiet, SourceFile, StorePath, print_rows
from pipeline.cli.exit import install_signal_handlers


def verify(
    store: StorePath,
    windows: Annotated[
        int,
        typer.Option(
            min=0,
            help="Seams that are looked at, and as many places far from them; with as many as blocks, every block.",
        ),
    ] = 16,
    seed: Annotated[int, typer.Option(help="Of the draw of windows.")] = 0,
    tolerance: Annotated[
        float | None, typer.Option(min=0.0, help="Largest error at seams, in standard deviations of the logits.")
    ] = None,
    source: SourceFile = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    log_format: LogFormat = Format.TEXT,
    quiet: Quiet = False,
) -> None:
    """Prove a store: every chunk is read, and seams are inferred again with wider halos; writes the certificate."""
    install_signal_handlers()
    from pipeline.runtime.collection import without_collection

    with without_collection():
        from pipeline.quality.verify import certificate
        from pipeline.quality.verify.seam_examples import write_examples
        from pipeline.quality.verify.verify import job_of
        from pipeline.quality.verify.verify import verify as look
        from pipeline.reports.page import is_wanted, write_page
        from pipeline.runtime.progress import progress_as

    with progress_as(log_format, quiet) as progress:
        job = job_of(store, overrides or [], source, progress.say, quiet or log_format is not Format.TEXT)
        keep = partial(write_examples, store)
        result = look(
            job, progress.say, windows=windows, seed=seed, tolerance=tolerance, notify=progress.status, keep=keep
        )
        written = certificate.publish(store, result)
        if is_wanted(job.meta()):
            write_page(store)
        progress.note("certificate", passed=result["passed"], why=result["why"], report=str(written))
    if as_json or not quiet:
        rows = [*certificate.certificate_rows(store, result), ("report", str(written))]
        print_rows(rows, result if as_json else None)
    certificate.require_passed(store, result)
