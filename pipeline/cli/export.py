"""``wholecloth export``."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.app import Format, LogFormat, Quiet, StorePath
from pipeline.cli.exit import install_signal_handlers

To = Annotated[str, typer.Option("--to", metavar="FORM", help="Form of the file, such as cog.")]
Layer = Annotated[str | None, typer.Option("--layer", help="Layer of the store, instead of the one it is made for.")]
File = Annotated[str | None, typer.Option("--out", metavar="FILE", help="The file, instead of one beside the store.")]
Memory = Annotated[str, typer.Option("--memory", help="What the process may take, such as 1GiB.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that was not written for this store.")]

MaxSide = Annotated[int | None, typer.Option("--max-side", min=1, help="Longest side of a png, px: 8192.")]
ConnectivityOption = Annotated[
    int | None, typer.Option("--connectivity", help="Of objects: 4, or 8 where pixels that touch by a corner join.")
]
MinArea = Annotated[str | None, typer.Option("--min-area", help="Smaller objects are left out: 100 m2, 10 um2, 20 px.")]
Simplify = Annotated[
    float | None, typer.Option("--simplify", min=0, help="Thin outlines: points within a triangle of so many px go.")
]
Classes = Annotated[
    str | None, typer.Option("--classes", metavar="NAME,NAME", help="Classes of objects; else all but the background.")
]


def export(
    store: StorePath,
    to: To,
    layer: Layer = None,
    out: File = None,
    memory: Memory = "1GiB",
    max_side: MaxSide = None,
    connectivity: ConnectivityOption = None,
    min_area: MinArea = None,
    simplify: Simplify = None,
    classes: Classes = None,
    overwrite: Overwrite = False,
    log_format: LogFormat = Format.TEXT,
    quiet: Quiet = False,
) -> None:
    """Write a complete store, or a layer of it, as a file for other programs."""
    install_signal_handlers()
    from pipeline.config.values import parse_bytes
    from pipeline.exports.task import ExportRequest
    from pipeline.locations import parse_place
    from pipeline.running.export import export_store
    from pipeline.runtime.progress import progress_as

    names = None if classes is None else [name.strip() for name in classes.split(",")]
    options = {
        "max_side": max_side,
        "connectivity": connectivity,
        "min_area": min_area,
        "simplify": simplify,
        "classes": names,
    }
    request = ExportRequest(
        to=to,
        layer=layer,
        out=parse_place(out) if out else None,
        memory=parse_bytes(memory),
        options={name: value for name, value in options.items() if value is not None},
    )
    with progress_as(log_format, quiet) as progress:
        progress.status(f"writing {to}")
        written = export_store(store, request, overwrite, progress.say)
    if not quiet:
        print(written)
