"""The command itself: what all commands share, and how they print."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import __version__
from pipeline.locations import Place, parse_place
from pipeline.privacy.concealed import safe_document, safe_text

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Segmentation of images too large for memory.",
)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file of the job.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Override a value of the config; may be repeated."),
]
Out = Annotated[str | None, typer.Option("--out", metavar="PATH", help="The store, instead of output.path.")]
SourceFile = Annotated[
    str | None,
    typer.Option(
        "--source", metavar="FILE", help="Where the source lies, instead of source.path; its pixels are compared."
    ),
]
AreaFile = Annotated[
    str | None,
    typer.Option("--aoi", metavar="FILE", help="Polygons of source.aoi, where the store does not say where they lie."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
if TYPE_CHECKING:
    StorePath = Place
else:  # typer knows no unions; what it hands on is a Place all the same
    StorePath = Annotated[
        str, typer.Argument(metavar="STORE", help="Zarr store that `run` made: a folder, or s3://…", parser=parse_place)
    ]


class Format(StrEnum):
    """How stderr is written."""

    TEXT = "text"
    JSON = "json"


LogFormat = Annotated[
    Format, typer.Option("--log-format", help="How stderr is written: text, or json, one object per line.")
]

Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors and warnings alone.")]


def _version(requested: bool) -> None:
    if requested:
        print(__version__)
        raise typer.Exit


@app.callback()
def global_options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Segmentation of images too large for memory."""


def overriding(overrides: list[str] | None, out: str | None, source: str | None = None) -> list[str]:
    """Overrides of the config, those of options of their own last.

    Paths stand as JSON, since names may hold what YAML reads as more than a text.
    """
    import json

    paths = {"source.path": source, "output.path": out}
    own = [f"{key}={json.dumps(path, ensure_ascii=False)}" for key, path in paths.items() if path is not None]
    return [*(overrides or []), *own]


def conceal_for_store(store: Place, *files: str | None) -> None:
    """Keep files of a command out of its output, where the store keeps names out of its own."""
    from pipeline.config.private_names import is_redacting
    from pipeline.privacy.concealed import conceal
    from pipeline.store.lifecycle import read_store_meta

    if is_redacting(read_store_meta(store)):
        conceal(file for file in files if file is not None)


def print_rows(rows: list[tuple[str, str]], document: object | None) -> None:
    """Print rows of a name and a text, or a document as JSON where there is one."""
    import json

    if document is not None:
        print(json.dumps(safe_document(document), indent=2, default=str))
        return
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {safe_text(text)}")
