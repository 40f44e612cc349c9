"""A window of one level of a slide, put together from its tiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.sources.slide_files.pyramid import Level, SlideFile, StoredTile
from pipeline.sources.slide_files.tile_cache import TileCache, TilePlace, decoders
from pipeline.sources.validity.band_causes import CauseCodes


def read_region(
    file: SlideFile, level: Level, window: Window, bands: Sequence[int], cache: TileCache
) -> tuple[npt.NDArray[Any], CauseCodes | None]:
    """Pixels of a window inside a level as they are stored. Tiles are decoded by several threads.

    Parameters
    ----------
    file
        The open slide.
    level
        Which of its levels.
    window
        Inside the level, px.
    bands
        From 0.
    cache
        Holds tiles of this level and these bands.

    Returns
    -------
    tuple
        (bands, rows, cols), and (rows, cols) codes of `CAUSES`, None where all is valid. Raises ReadError.
    """
    data = np.empty((len(bands), window.height, window.width), file.dtype)
    causes: CauseCodes | None = None
    places = list(_places(level, window))
    for (row, col), tile in zip(places, _tiles(file, level, places, bands, cache), strict=True):
        where = _tile_window(level, row, col)
        overlap = where.intersect(window)
        to, origin = overlap.index_in(window), overlap.index_in(where)
        data[(slice(None), *to)] = tile.data[(slice(None), *origin)]
        if tile.causes is not None:
            causes = np.zeros(data.shape[1:], np.uint8) if causes is None else causes
            causes[to] = tile.causes[origin]
    return data, causes


def _tiles(
    file: SlideFile, level: Level, places: Sequence[TilePlace], bands: Sequence[int], cache: TileCache
) -> list[StoredTile]:
    def tile(place: TilePlace) -> StoredTile:
        return cache.get(place, partial(file.read_tile, level.index, *place, bands))

    return [tile(places[0])] if len(places) == 1 else list(decoders().map(tile, places))


def _places(level: Level, window: Window) -> product[TilePlace]:
    rows, cols = (
        range(span.start // side, -(-span.stop // side))
        for span, side in zip((window.rows, window.cols), level.tile, strict=True)
    )
    return product(rows, cols)


def _tile_window(level: Level, row: int, col: int) -> Window:
    rows, cols = (
        Span(place * side, min((place + 1) * side, length))
        for place, side, length in zip((row, col), level.tile, level.shape, strict=True)
    )
    return Window.of(rows, cols)
