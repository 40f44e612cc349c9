"""Items and searches for tests, and the server that has them."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests import scenes

TRANSFORM = [10, 0, 500_000, 0, -10, 4_600_000]
COLOURS = ("red", "green", "nir")


@dataclass(frozen=True)
class Served:
    """A folder behind a server that obeys rules."""

    port: int
    folder: Path

    def url(self, path: str = "", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"

    def rules(self, *rules: dict[str, Any]) -> None:
        """From now on these hold; what was asked before is forgotten."""
        request = urllib.request.Request(self.url("-/rules"), json.dumps(rules).encode(), method="POST")
        urllib.request.urlopen(request).close()

    @property
    def log(self) -> list[dict[str, Any]]:
        """Requests since the last rules."""
        with urllib.request.urlopen(self.url("-/log")) as response:
            return json.load(response)


@contextmanager
def serve(folder: Path) -> Iterator[Served]:
    command = [sys.executable, "-u", "-m", "tests.sources.catalogue_server", str(folder)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as server:
        try:
            assert server.stdout is not None
            yield Served(int(server.stdout.readline()), folder)
        finally:
            server.kill()


def asset(href: str, colour: str = "", shape: tuple[int, int] = (0, 0), **more: Any) -> dict[str, Any]:
    """An asset of one band, in the words of STAC 1.0; keys of ``raster`` are those of its band."""
    raster = {"nodata": 0, "data_type": "uint16", **more.pop("raster", {})}
    light = {"eo:bands": [{"name": colour.upper(), "common_name": colour}]} if colour else {}
    place = {"proj:shape": list(shape), "proj:transform": TRANSFORM} if any(shape) else {}
    return {"href": href, "type": "image/tiff", "roles": ["data"], **light, "raster:bands": [raster], **place, **more}


def item(
    assets: dict[str, Any], name: str = "scene", date: str = "2024-06-01T10:00:00Z", **properties: Any
) -> dict[str, Any]:
    """An item of STAC 1.0, as most catalogues have them."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": "tests",
        "geometry": None,
        "properties": {"datetime": date, "proj:epsg": 32633, **properties},
        "links": [],
        "assets": assets,
    }


def scene(
    folder: Path, data: np.ndarray | None = None, raster: dict[str, Any] | None = None, **properties: Any
) -> Path:
    """An item with a file for each band of a small scene, and the same scene as one file, ``scene.tif``."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = scenes.scene(folder / "scene.tif")
    data = scenes.read(whole).astype("uint16") if data is None else data
    tiled = {"nodata": 0, "tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    for band, colour in zip(data, COLOURS, strict=True):
        scenes.write(folder / f"{colour}.tif", band[np.newaxis], **tiled)
    assets = {colour: asset(f"./{colour}.tif", colour, data.shape[1:], raster=raster or {}) for colour in COLOURS}
    return write(folder / "item.json", item(assets, **properties))


def write(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path
