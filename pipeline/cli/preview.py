"""``wholecloth preview``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import ConfigPath, Overrides, print_rows
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.locations import Place
    from pipeline.preview.preview import Preview

_MIN_SIDE, _MAX_SIDE = 16, 4096
"""Of a window, px."""


def preview(
    config: ConfigPath,
    at: Annotated[
        str | None, typer.Option("--at", metavar="X,Y", help="Window around a point in the raster's CRS.")
    ] = None,
    pixel: Annotated[
        str | None, typer.Option("--pixel", metavar="ROW,COL", help="Window around a pixel, counted from 0.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", metavar="PX", min=_MIN_SIDE, max=_MAX_SIDE, help="Side of the window; 512 by default."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder; NAME.preview beside the store by default.")
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option("--sweep", metavar="KEY=V,V,…", help="Try values of a key on the same pixels: a contact sheet."),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Look at one window before the leap: image, what the network sees of it, mask and confidence, as PNG and HTML."""
    if at is not None and pixel is not None:
        raise ConfigError("--at and --pixel both name a window. Give one of them.")
    from pipeline.runtime.collection import without_collection

    with without_collection():
        from pipeline.config.load import load_config
        from pipeline.preview.preview import PreviewRequest, make_preview
        from pipeline.preview.sweep import parse_sweep

    given = overrides or []
    job_config = load_config(config, given)
    row_col = None if pixel is None else _two_numbers("--pixel", pixel, "row and column, such as --pixel 1200,800")
    request = PreviewRequest(
        folder=out or preview_folder(job_config.output.path),
        at=None if at is None else _two_numbers("--at", at, "x and y, such as --at 500000,4600000"),
        pixel=None if row_col is None else _whole_numbers(row_col, pixel),
        side=size,
        sweep=None if sweep is None else parse_sweep(sweep),
        swept=lambda override: load_config(config, [*given, override]),
    )
    print_rows(_rows(make_preview(job_config, request)), None)


def preview_folder(store: Place) -> Path:
    """Beside a store on disk, else in the working directory."""
    name = f"{store.stem}.preview"
    return store.parent / name if isinstance(store, Path) else Path(name)


def _two_numbers(option: str, text: str, meaning: str) -> tuple[float, float]:
    import math

    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        first = second = math.nan
    if not (math.isfinite(first) and math.isfinite(second)):
        raise ConfigError(f"{option} is {text}, which are not two numbers. Give {meaning}.")
    return first, second


def _whole_numbers(numbers: tuple[float, float], text: str | None) -> tuple[int, int]:
    row, col = numbers
    if not (row.is_integer() and col.is_integer()):
        raise ConfigError(f"--pixel is {text}, which are no whole numbers. Give row and column, counted from 0.")
    return int(row), int(col)


def _rows(done: Preview) -> list[tuple[str, str]]:
    from pipeline.preview.page import percent

    shares = ", ".join(f"{row.name} {percent(row.share)}" for row in done.classes)
    wanted = {"window", "bounds", "valid", "one pass", "a run"}
    return [
        *((name, text) for name, text in done.description.facts if name in wanted),
        *([("classes", shares)] if shares else []),
        *(("WARNING", warning) for warning in done.warnings),
        *(("page" if path.suffix == ".html" else "picture", str(path)) for path in done.files),
    ]
