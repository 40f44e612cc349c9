"""``wholecloth sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="satellite, ihc or slide; with ?seed=3&size=2048 another one.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the raster and its labels are written.")],
) -> None:
    """Write a sample raster and its labels."""
    from pipeline.sources.samples import materialise

    files = materialise(name, folder)
    print(f"raster: {files.raster}\nlabels: {files.labels}")
