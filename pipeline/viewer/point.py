"""Everything that is known of one pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pyproj.exceptions import ProjError

from pipeline.errors import InputError, PipelineError
from pipeline.geometry.crs import transformer
from pipeline.geometry.grid import Grid
from pipeline.viewer.image import Image
from pipeline.viewer.layer_pixels import LayerPixels
from pipeline.viewer.numbers import LayerNumbers
from pipeline.viewer.scene import StoreScene, ViewLayer
from pipeline.viewer.tile_grid import TILE_PX, MapTile

SHOWN_CHANNELS = 32
"""Channels of a layer whose numbers are given, at most."""


class PointReader:
    """Reads single pixels of a scene. Safe from many threads."""

    def __init__(self, scene: StoreScene, pixels: LayerPixels, numbers: LayerNumbers, image: Image) -> None:
        self.scene = scene
        self.pixels = pixels
        self.numbers = numbers
        self.image = image

    def describe(self, row: int, col: int) -> dict[str, Any]:
        """A pixel of the full resolution inside the raster, as plain values: its place, classes, numbers and bands."""
        return {
            "row": row,
            "col": col,
            **coordinates_of(self.scene.grid, row, col),
            "layers": [self._layer(layer, row, col) for layer in self.scene.layers()],
            "bands": self._bands(row, col),
        }

    def _layer(self, layer: ViewLayer, row: int, col: int) -> dict[str, Any]:
        tile, place = _tile_of(row, col)
        if layer.kind == "numbers":
            return {"name": layer.name, "kind": layer.kind, "numbers": self._numbers(layer, tile, place)}
        code = int(self.pixels.read(layer.name, tile)[place])
        if layer.kind == "instances":
            return {"name": layer.name, "kind": layer.kind, "id": code or None}
        names = {each.code: each.name for each in self.scene.classes}
        return {"name": layer.name, "kind": layer.kind, "code": code, "class": names.get(code)}

    def _numbers(self, layer: ViewLayer, tile: MapTile, place: tuple[int, int]) -> list[dict[str, Any]]:
        rows = []
        for channel, name in enumerate(layer.channels[:SHOWN_CHANNELS] or (layer.name,)):
            plane = channel if layer.channels else None
            stored = self.pixels.read(layer.name, tile, plane)[place]
            number = float(self.numbers.numbers(layer.name, np.asarray(stored), plane))
            rows.append({"name": name, "number": number if math.isfinite(number) else None})
        return rows

    def _bands(self, row: int, col: int) -> list[dict[str, Any]]:
        """Raw numbers of the source; none where one tile of all bands takes too much, or cannot be read."""
        names = self.image.bands[:SHOWN_CHANNELS]
        if not self.image.exact or not names:
            return []
        tile, place = _tile_of(row, col)
        try:
            part = self.image.readers[0].read(tile, range(len(names)))
        except PipelineError:
            return []
        if part is None or not part.valid[place]:
            return []
        values = part.planes[(slice(None), *place)].tolist()
        return [{"name": name, "number": number} for name, number in zip(names, values, strict=True)]


def coordinates_of(grid: Grid, row: float, col: float) -> dict[str, Any]:
    """Coordinates of the middle of a pixel: ``x`` and ``y`` by the transform, and degrees where there is a CRS."""
    a, b, c, d, e, f = grid.transform
    x, y = a * (col + 0.5) + b * (row + 0.5) + c, d * (col + 0.5) + e * (row + 0.5) + f
    place: dict[str, Any] = {"x": x, "y": y}
    if grid.wkt is None:
        return place
    try:
        lon, lat = transformer(grid.wkt, "OGC:CRS84").transform(x, y)
    except (InputError, ProjError):
        return place
    return {**place, "lon": lon, "lat": lat} if math.isfinite(lon) and math.isfinite(lat) else place


def _tile_of(row: int, col: int) -> tuple[MapTile, tuple[int, int]]:
    """The tile of the full resolution that holds a pixel, and the pixel's place in it."""
    return MapTile(level=0, row=row // TILE_PX, col=col // TILE_PX), (row % TILE_PX, col % TILE_PX)
