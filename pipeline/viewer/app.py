"""Answers to a page: its files, tiles, and what it asks of the scene."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.errors import PipelineError
from pipeline.geometry.window import Window
from pipeline.redact import redacted
from pipeline.viewer.access import Access
from pipeline.viewer.guard import Guard
from pipeline.viewer.outlines import outlines
from pipeline.viewer.places import seams
from pipeline.viewer.scene import ViewLayer
from pipeline.viewer.tile_grid import MapTile, tile_levels
from pipeline.viewer.tiles import image_tile, layer_tile
from pipeline.viewer.view import StoreView

PAGE_FILES = {"view.js": "text/javascript", "view.css": "text/css", "icon.svg": "image/svg+xml"}
"""Files of the page beside ``index.html``: nothing else is served."""
TILES_AT_ONCE = 4
"""Tiles that are drawn at the same time, each of which may hold `MAX_READ_BYTES`."""
_READ_ERRORS = (PipelineError, OSError, ValueError, RuntimeError, LookupError, TypeError)
"""What reading a store may raise, also one that somebody damaged on purpose."""
_CACHED = {"cache-control": "private, max-age=86400"}


def build_app(view: StoreView, access: Access, on_used_link: Callable[[], None] = lambda: None) -> Guard:
    """The application for one scene, as ASGI knows it.

    Parameters
    ----------
    view
        Of a store.
    access
        Who may ask.
    on_used_link
        Called where a link comes that was exchanged before.
    """
    answers = Answers(view)
    routes = [
        Route("/", answers.page),
        Route("/assets/{name}", answers.file),
        Route("/api/scene", answers.scene),
        Route("/api/progress", answers.progress),
        Route("/api/areas", answers.areas),
        Route("/api/limits", answers.limits),
        Route("/api/at", answers.point),
        Route("/api/outlines", answers.outlines),
        Route("/api/seams", answers.seams),
        Route("/tiles/{layer}/{level:int}/{row:int}/{col:int}.png", answers.tile),
    ]
    errors: dict[Any, Any] = dict.fromkeys(_READ_ERRORS, _unreadable)
    app = Starlette(routes=routes, exception_handlers={**errors, HTTPException: _refused})
    return Guard(app, access, on_used_link)


class Answers:
    """One method for each route; each runs in a thread of its own."""

    def __init__(self, view: StoreView) -> None:
        self.view = view
        self._room = threading.BoundedSemaphore(TILES_AT_ONCE)

    def page(self, request: Request) -> Response:
        """The page."""
        return Response(_page_file("index.html"), media_type="text/html")

    def file(self, request: Request) -> Response:
        """A file of the page."""
        name = request.path_params["name"]
        if name not in PAGE_FILES:
            raise HTTPException(404, "The page has no such file.")
        return Response(_page_file(name), media_type=PAGE_FILES[name])

    def scene(self, request: Request) -> Response:
        """What the page draws itself by."""
        return JSONResponse(self.view.describe())

    def progress(self, request: Request) -> Response:
        """How far the store is."""
        return JSONResponse(self.view.progress())

    def areas(self, request: Request) -> Response:
        """Areas of the classes."""
        return JSONResponse(self.view.areas.describe())

    def limits(self, request: Request) -> Response:
        """Between which numbers a layer is drawn."""
        low, high = self.view.numbers.limits(*self._layer_and_channel(request, request.query_params.get("layer", "")))
        return JSONResponse({"low": low, "high": high})

    def point(self, request: Request) -> Response:
        """What is known of a pixel."""
        row, col = (_number(request, name) for name in ("row", "col"))
        grid = self.view.scene.grid
        if not (0 <= row < grid.height and 0 <= col < grid.width):
            raise HTTPException(400, "That pixel lies beyond the raster.")
        return JSONResponse(self.view.points.describe(row, col))

    def outlines(self, request: Request) -> Response:
        """Outlines of objects in a window."""
        with self._room:
            return JSONResponse(outlines(self.view.scene, self.view.commits, _window(request)))

    def seams(self, request: Request) -> Response:
        """Where tiles meet in a window."""
        return JSONResponse(seams(self.view.scene, _window(request)))

    def tile(self, request: Request) -> Response:
        """A tile of the image or of a layer."""
        scene, name = self.view.scene, request.path_params["layer"]
        tile = MapTile(**{key: request.path_params[key] for key in ("level", "row", "col")})
        if tile.level >= tile_levels(scene.grid) or not tile.window(scene.grid).pixels:
            raise HTTPException(404, "There is no such tile.")
        if name == "image":
            bands = self._bands(request)
            with self._room:
                return _png(image_tile(self.view, tile, bands))
        layer, channel = self._layer_and_channel(request, name)
        hidden = [int(code) for code in request.query_params.get("hide", "").split(",") if code]
        with self._room:
            return _png(layer_tile(self.view, self._layer(layer), tile, channel, hidden))

    def _layer(self, name: str) -> ViewLayer:
        layer = next((each for each in self.view.scene.layers() if each.name == name), None)
        if layer is None:
            raise HTTPException(404, "The store has no such layer.")
        return layer

    def _layer_and_channel(self, request: Request, name: str) -> tuple[str, int | None]:
        layer = self._layer(name)
        if not layer.channels:
            return name, None
        channel = int(request.query_params.get("channel", "0"))
        if not 0 <= channel < len(layer.channels):
            raise HTTPException(404, "The layer has no such channel.")
        return name, channel

    def _bands(self, request: Request) -> list[int]:
        bands = [int(band) for band in request.query_params.get("bands", "0").split(",")]
        if len(bands) not in (1, 3) or any(not 0 <= band < len(self.view.image.bands) for band in bands):
            raise HTTPException(404, "The image has no such bands.")
        return bands


def _page_file(name: str) -> bytes:
    return (resources.files("pipeline.viewer.page") / name).read_bytes()


def _png(data: bytes) -> Response:
    return Response(data, media_type="image/png", headers=_CACHED)


def _number(request: Request, name: str) -> int:
    """A whole number of the query. Raises ValueError where it is none."""
    return int(request.query_params.get(name, ""))


def _window(request: Request) -> Window:
    row, col, height, width = (_number(request, name) for name in ("row", "col", "height", "width"))
    if min(height, width) < 0:
        raise HTTPException(400, "A window has no negative sides.")
    return Window(row=row, col=col, height=height, width=width)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code)


def _unreadable(request: Request, error: Exception) -> Response:
    """What cannot be read, as the page shows it: a paragraph of ours, or the words of a library."""
    return JSONResponse({"error": redacted(str(error) or type(error).__name__)}, status_code=422)
