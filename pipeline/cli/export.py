"""``wholecloth export``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pipeline.cli.app import Format, LogFormat, Quiet, StorePath
from pipeline.cli.exit import install_signal_handlers


class ObjectTypes(StrEnum):
    """What QuPath takes an object for."""

    ANNOTATION = "annotation"
    DETECTION = "detection"


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
MaxVertices = Annotated[
    int | None, typer.Option("--max-vertices", min=16, help="Objects of more vertices are cut into pieces.")
]
Classes = Annotated[
    str | None, typer.Option("--classes", metavar="NAME,NAME", help="Classes of objects; else all but the background.")
]
ObjectType = Annotated[
    ObjectTypes | None, typer.Option("--object-type", help="Of QuPath's objects, instead of annotation.")
]
Into = Annotated[
    str | None, typer.Option("--into", metavar="IMAGE", help="OME-Zarr of image-labels, instead of the source.")
]
Name = Annotated[str | None, typer.Option("--name", help="Of a label image in it, instead of the store's.")]


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
    max_vertices: MaxVertices = None,
    classes: Classes = None,
    object_type: ObjectType = None,
    into: Into = None,
    name: Name = None,
    overwrite: Overwrite = False,
    log_format: LogFormat = Format.TEXT,
    quiet: Quiet = False,
) -> None:
    """Write a complete store, or a layer of it, as a file for other programs."""
    install_signal_handlers()
    _check_place(to, out, into, name)
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
        "max_vertices": max_vertices,
        "classes": names,
        "object_type": None if object_type is None else object_type.value,
        "name": name,
    }
    request = ExportRequest(
        to=to,
        layer=layer,
        out=parse_place(place) if (place := into or out) else None,
        memory=parse_bytes(memory),
        options={key: value for key, value in options.items() if value is not None},
    )
    with progress_as(log_format, quiet) as progress:
        progress.status(f"writing {to}")
        written = export_store(store, request, overwrite, progress.say)
    if not quiet:
        print(written)


def _check_place(to: str, out: str | None, into: str | None, name: str | None) -> None:
    """Raise ConfigError where a file is named for a form that lies in an image, or an image for a file."""
    from pipeline.errors import ConfigError

    inside = to == "image-labels"
    if inside and out is not None:
        raise ConfigError(f"--out is {out}, and image-labels writes no file. Give --into IMAGE.zarr for the image.")
    if not inside and (into is not None or name is not None):
        option = "--into" if into is not None else "--name"
        raise ConfigError(f"{option} is of --to image-labels alone. Leave it out, or give --out FILE for a file.")
