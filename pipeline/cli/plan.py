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
    from pipeline.inspect.invalid_pixels import invalid
    from pipeline.planning.describe import describe, lines
    from pipeline.planning.freeze import freeze
    from pipeline.planning.halo_saving import saving
    from pipeline.planning.job import prepare
    from pipeline.planning.warnings import warnings

    job = prepare(load(config, overriding(overrides, out)))
    saves, unknown, doubtful = saving(job), invalid(job.source), warnings(job)
    rows = [*lines(job), *([("saving", str(saves))] if saves else []), *(("warning", words) for words in doubtful)]
    rows.insert(1, ("invalid", str(unknown)))
    document = {**describe(job), "saving": asdict(saves) if saves else None, "warnings": list(doubtful), "invalid": asdict(unknown)}
    if frozen is not None:
        document["frozen"] = str(freeze(job, config, frozen))
        rows.append(("frozen", document["frozen"]))
    tell(rows, document if as_json else None)
