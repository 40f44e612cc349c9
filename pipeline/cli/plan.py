"""``wholecloth plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import AsJson, ConfigPath, Out, Overrides, overriding, print_rows

if TYPE_CHECKING:
    from pipeline.planning.job import Job


def plan(
    config: ConfigPath,
    overrides: Overrides = None,
    out: Out = None,
    as_json: AsJson = False,
    frozen: Annotated[
        Path | None,
        typer.Option(
            "--freeze", metavar="FILE", help="Write a config with nothing left to decide, for `run --locked`."
        ),
    ] = None,
    measure_runtimes: Annotated[
        bool,
        typer.Option("--measure-runtimes", help="Time the network in each runtime that is here; it decides nothing."),
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Find the numbers of model.input.normalise, by a pass over the raster.")
    ] = False,
) -> None:
    """Print everything that `run` would decide, without running."""
    from pipeline.runtime.collection import without_collection

    with without_collection():
        from pipeline.config.load import load_config
        from pipeline.planning.document import measure_plan, outlook_rows, plan_document
        from pipeline.planning.freeze import freeze
        from pipeline.planning.prepare import prepare_job
        from pipeline.planning.runtimes.timings import runtime_rows

    job = prepare_job(load_config(config, overriding(overrides, out)))
    if estimate:
        job = _estimated(job)
    measured = measure_plan(job)
    text, values = outlook_rows(job, measured), plan_document(job, measured)
    if measure_runtimes:
        timings = runtime_rows(job)
        text += timings
        values["runtimes"] = [sentence for _, sentence in timings]
    if frozen is not None:
        values["frozen"] = str(freeze(job, config, frozen))
        text.append(("frozen", values["frozen"]))
    print_rows(text, values if as_json else None)


def _estimated(job: Job) -> Job:
    """With the numbers of its raster; what is counted stays for the run."""
    from pipeline.cli.exit import install_signal_handlers
    from pipeline.running.estimate import estimate_numbers
    from pipeline.runtime.progress import Progress

    install_signal_handlers()
    with Progress() as progress:
        return estimate_numbers(job, progress)
