"""``wholecloth plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import AsJson, ConfigPath, Out, Overrides, overriding, print_rows


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
) -> None:
    """Print everything that `run` would decide, without running."""
    from pipeline.config.load import load_config
    from pipeline.planning.document import measure_plan, outlook_rows, plan_document
    from pipeline.planning.freeze import freeze
    from pipeline.planning.job import prepare_job

    job = prepare_job(load_config(config, overriding(overrides, out)))
    measured = measure_plan(job)
    text, values = outlook_rows(job, measured), plan_document(job, measured)
    if frozen is not None:
        values["frozen"] = str(freeze(job, config, frozen))
        text.append(("frozen", values["frozen"]))
    print_rows(text, values if as_json else None)
