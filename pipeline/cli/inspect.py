"""``wholecloth inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import AsJson, ConfigPath, Overrides, tell


def inspect(
    config: ConfigPath,
    overrides: Overrides = None,
    as_json: AsJson = False,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Draw the halo profile.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the places of the raster that are looked at.")] = 0,
) -> None:
    """Explain the network: costs, stride, radius, verdict, layers to blame, and what each halo would leave and cost."""
    from pipeline.config.load import load
    from pipeline.inspect.report.plot import draw
    from pipeline.inspect.report.report import find
    from pipeline.inspect.report.text import rows
    from pipeline.planning.job import prepare
    from pipeline.planning.subject import subject

    job = prepare(load(config, overrides or []), fresh=True)
    found = find(subject(job), seed)
    said = rows(found)
    if png is not None:
        said.append(("picture", str(draw(found, png, f"{config.stem}: {found.locality.verdict}, stride {found.locality.stride} px"))))
    tell(said, found.as_dict() if as_json else None)
