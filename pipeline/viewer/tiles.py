"""Tiles as PNG."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipeline.viewer.paint import class_png, instance_png, number_png
from pipeline.viewer.scene import ViewLayer
from pipeline.viewer.tile_grid import MapTile
from pipeline.viewer.view import StoreView


def image_tile(view: StoreView, tile: MapTile, bands: Sequence[int]) -> bytes:
    """A tile of the image, of one band or three, counted from 0. Raises ReadError where it cannot be read."""
    return view.image.png(tile, bands)


def layer_tile(view: StoreView, layer: ViewLayer, tile: MapTile, channel: int | None, hidden: Collection[int]) -> bytes:
    """A tile of a layer.

    Parameters
    ----------
    view, layer
        Of a store.
    tile
        One that touches the raster.
    channel
        Of a layer of numbers that has several.
    hidden
        Codes of classes that are not shown.
    """
    stored = view.pixels.read(layer.name, tile, channel)
    if layer.kind == "classes":
        return class_png(stored, view.scene.classes, hidden)
    if layer.kind == "instances":
        return instance_png(stored)
    return number_png(view.numbers.shares(layer.name, stored, channel))
