"""``wholecloth plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import AsJson, ConfigPath, Out, Overrides, overriding, tell


def plan(
    config: ConfigPath,
    overrides: Overrides = None,
    out: Out = None,
    as_json: AsJson = False,
    frozen: Annotated[Path | None, typer.Option("--freeze", metavar="FILE", help="Write a config with nothing left to decide, for `run --locked`.")] = None,
) -> None:
    """Print everything that `run` would decide, without running."""
    from dataclasses import asdict

    from pipeline.config.load import load
    from pipeline.describe import describe, lines
    from pipeline.freeze import freeze
    from pipeline.inspect.invalid_pixels import invalid
    from pipeline.inspection.plausibility import warnings
    from pipeline.inspection.saving import saving
    from pipeline.job import prepare

    job = prepare(load(config, overriding(overrides, out)))
    saves, unknown, doubtful = saving(job), invalid(job.source), warnings(job)
    rows = [*lines(job), *([("saving", str(saves))] if saves else []), *(("warning", words) for words in doubtful)]
    rows.insert(1, ("invalid", str(unknown)))
    document = {**describe(job), "saving": asdict(saves) if saves else None, "warnings": list(doubtful), "invalid": asdict(unknown)}
    if frozen is not None:
        document["frozen"] = str(freeze(job, config, frozen))
        rows.append(("frozen", document["frozen"]))
    tell(rows, document if as_json else None)
