"""``wholecloth init``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import ConfigError


def init(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="File with the weights or the whole network; package://…, hf://…."),
    ] = None,
    scene: Annotated[
        str | None,
        typer.Argument(
            metavar="SCENE",
            help="Raster, slide, product, item or arrays, by path or URL; a folder or a glob of several rasters.",
        ),
    ] = None,
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
        list[str] | None,
        typer.Option("--bands", metavar="4,3,2", help="Bands in the network's order, counted from 1, or by name."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source", metavar="KEY=VALUE", help="Keys of the section source, such as mpp=0.5; may be repeated."
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="NAME=PATH", help="Scene of one input of a network of several; may be repeated."
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Which of several tensors that the network returns holds the logits.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="CONFIG", help="Instead: say what in a config contradicts its files."),
    ] = None,
) -> None:
    """Write a first config for a network and a scene, by looking at both; or check one with --check."""
    if check is not None:
        options = {"--factory": factory, "--args": args, "--bands": bands, "--source": source, "--input": inputs}
        _refuse_with_check({"MODEL": model, "--out": out, **options})
        _check(check)
        return
    if model is None or (scene is None and not inputs):
        raise ConfigError(
            "init takes MODEL and SCENE, and looks at both. Give both, for a network of several inputs --input "
            "NAME=PATH for each, or --check CONFIG, which looks at a config."
        )
    if out is not None and out.exists() and not force:
        raise ConfigError(
            f"--out is {out}, which exists and was left as it is. Give another file, or --force to overwrite it."
        )
    from pipeline.planning.first_config.options import SOURCE_KEYS, parse_arguments, parse_bands, parse_inputs
    from pipeline.planning.first_config.suggestion import UserHints, suggest

    hints = UserHints(
        args=parse_arguments(args),
        bands=parse_bands(bands),
        key=key,
        source=parse_arguments(source, SOURCE_KEYS),
        inputs=parse_inputs(inputs),
    )
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


def _refuse_with_check(options: dict[str, object]) -> None:
    name = next((name for name, value in options.items() if value is not None), None)
    if name is not None:
        raise ConfigError(f"--check reads a config and writes none, so that {name} has no use. Leave it out.")


def _check(config: Path) -> None:
    """Print a paragraph for each contradiction; exit code 2 where there is one."""
    from pipeline.config.load import load_config
    from pipeline.planning.contradictions import find_contradictions
    from pipeline.privacy.concealed import safe_text

    findings = find_contradictions(load_config(config))
    for paragraph in findings.paragraphs:
        print(f"{safe_text(' '.join(paragraph.split()))}\n")
    checked = f"Looked at: {', '.join(findings.checked) or 'nothing that could be opened'}."
    if findings.paragraphs:
        print(f"{config}: {len(findings.paragraphs)} to mend. {checked}")
        raise typer.Exit(2)
    print(f"{config}: nothing contradicts the files. {checked}")
