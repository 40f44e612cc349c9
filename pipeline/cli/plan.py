"""``wholecloth plan``."""

from __future__ import annotations

from pipeline.cli.app import AsJson, ConfigPath, Overrides, tell


def plan(config: ConfigPath, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Print everything that `run` would decide, without running."""
    from dataclasses import asdict

    from pipeline.describe import describe, lines
    from pipeline.inspection.saving import saving
    from pipeline.job import prepare
    from pipeline.load_config import load

    job = prepare(load(config, overrides or []))
    saves = saving(job)
    tell([*lines(job), *([("saving", str(saves))] if saves else [])], {**describe(job), "saving": asdict(saves) if saves else None} if as_json else None)
