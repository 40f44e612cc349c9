"""``wholecloth view``."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.app import StorePath


def view(
    store: StorePath,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 for a free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the link, and open no browser.")] = False,
    source: Annotated[
        bool, typer.Option("--source", help="Open the raster that the store names, though it was made elsewhere.")
    ] = False,
) -> None:
    """Show a store in a browser, also while a run is at work on it."""
    from functools import partial

    from pipeline.runtime.optional_imports import require

    for library in ("starlette", "uvicorn"):
        require(library, "view", "The page of a store")
    from pipeline.viewer.server import serve
    from pipeline.viewer.view import StoreView

    serve(StoreView(store, source), port, not no_browser, partial(print, flush=True))
