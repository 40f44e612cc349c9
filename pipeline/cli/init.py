"""``wholecloth init``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import ConfigError


def init(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="File with the weights or the whole network.")],
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="Path or URL of a raster.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of printing it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    factory: Annotated[
        str | None,
        typer.Option("--factory", metavar="FILE.py:NAME", help="What builds the network of a file of weights."),
    ] = None,
    args: Annotated[
        list[str] | None,
        typer.Option("--args", metavar="JSON", help="Its arguments: '{\"width\": 7}', or width=7; may be repeated."),
    ] = None,
    bands: Annotated[
        list[str] | None, typer.Option("--bands", metavar="4,3,2", help="Bands in the network's order, counted from 1.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Which of several tensors that the network returns holds the logits.")
    ] = None,
) -> None:
    """Write a first config for a network and a scene, by looking at both."""
    if out is not None and out.exists() and not force:
        raise ConfigError(
            f"--out is {out}, which exists and was left as it is. Give another file, or --force to overwrite it."
        )
    from pipeline.planning.first_config import UserHints, suggest
    from pipeline.planning.first_config.options import parse_arguments, parse_band_numbers

    hints = UserHints(args=parse_arguments(args), bands=parse_band_numbers(bands), key=key)
    suggestion = suggest(model, scene, (out.parent if out is not None else Path.cwd()).resolve(), factory, hints)
    if out is None:
        print(suggestion.text, end="")
    else:
        try:
            out.write_text(suggestion.text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"--out is {out}, which cannot be written: {error.strerror}. Give a file in a folder that is there."
            ) from error
        print(f"config: {out}")
    for task in suggestion.todo:
        print(f"To add: {task}.", file=sys.stderr)
