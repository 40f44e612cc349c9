"""The tiles of a level as a GeoTIFF stores them: row by row, compressed, and none where nothing is written.

Several are compressed at once, since zlib lets other threads run; they come in their order all the same.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.exports.geotiff.template import TILE, file_dtype
from pipeline.exports.layer_part import LayerPart
from pipeline.geometry.span import Span, cut
from pipeline.geometry.window import Window
from pipeline.runtime.resources import cores
from pipeline.store.layers import CLASS_LAYERS

READ_TILES = 8
"""Tiles that are read at once."""
MAX_THREADS = 8
"""Threads that compress: one thread reads and writes for all of them."""
_EFFORT = 6
"""zlib's level of DEFLATE where it costs little."""
_QUICK_EFFORT = 3
"""The level for anything but classes."""
_PLAIN_SHARE = 1 / 20
"""Bytes per byte of a tile of classes whose runs say nearly all: the whole search is quick there, and halves it."""


@dataclass(frozen=True, slots=True)
class EncodedTile:
    """One tile that holds more than the fill value."""

    index: int
    """Place among the tiles of its level, plane by plane and row by row."""
    data: bytes
    """Compressed."""


def tile_counts(part: LayerPart, level: int) -> tuple[int, int]:
    """Tiles of a level down and across."""
    height, width = part.size(level)
    return -(-height // TILE), -(-width // TILE)


def compressed_tiles(part: LayerPart, level: int) -> Iterator[EncodedTile]:
    """The tiles of a level that hold anything; of one plane, or of few rows, in the order of their places.

    Parameters
    ----------
    part
        What is exported.
    level
        0 is the full resolution.
    """
    threads = min(cores(), MAX_THREADS)
    waiting: deque[tuple[int, Future[bytes]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="deflate") as pool:
        for index, tile in _tiles(part, level):
            waiting.append((index, pool.submit(_encoded, tile, part)))
            if len(waiting) > threads:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)


def _first(waiting: deque[tuple[int, Future[bytes]]]) -> EncodedTile:
    index, data = waiting.popleft()
    return EncodedTile(index, data.result())


def _tiles(part: LayerPart, level: int) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Tiles that hold anything, with their places."""
    height, _ = part.size(level)
    for rows in cut(height, TILE):
        for cols in _runs(part, level, rows):
            yield from _tiles_of_window(part, level, Window.of(rows, cols))


def _runs(part: LayerPart, level: int, rows: Span) -> Iterator[Span]:
    """Columns to read at once: a few whole tiles each, and only such as blocks cover."""
    _, width = part.size(level)
    done = 0
    for span in part.committed(level, rows):
        covered = span.align(TILE)
        for start in range(max(covered.start, done), covered.stop, TILE * READ_TILES):
            done = min(start + TILE * READ_TILES, covered.stop)
            yield Span(start, min(done, width))


def _tiles_of_window(part: LayerPart, level: int, window: Window) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    pixels = part.read(level, window)
    planes = pixels[None] if pixels.ndim == 2 else pixels
    down, across = tile_counts(part, level)
    for plane, values in enumerate(planes):
        first = (plane * down + window.row // TILE) * across + window.col // TILE
        for k, cols in enumerate(cut(window.width, TILE)):
            tile = values[:, cols.start : cols.stop]
            if not _is_empty(tile, part.layer.fill):
                yield first + k, tile


def _encoded(tile: npt.NDArray[Any], part: LayerPart) -> bytes:
    return _deflated(_padded(tile, part), part.name in CLASS_LAYERS)


def _deflated(data: bytes, has_classes: bool) -> bytes:
    """Classes come in runs: to look for these alone takes a sixth of the time, and less room but on plain tiles."""
    if not has_classes:
        return zlib.compress(data, _QUICK_EFFORT)
    runs = zlib.compressobj(_EFFORT, strategy=zlib.Z_RLE)
    packed = runs.compress(data) + runs.flush()
    return packed if len(packed) > len(data) * _PLAIN_SHARE else min(packed, zlib.compress(data, _EFFORT), key=len)


def _is_empty(tile: npt.NDArray[Any], fill: float) -> bool:
    return bool((np.isnan(tile) if np.isnan(fill) else tile == fill).all())


def _padded(tile: npt.NDArray[Any], part: LayerPart) -> bytes:
    """The bytes of a whole tile; beyond the raster it is filled."""
    if tile.shape != (TILE, TILE):
        whole = np.full((TILE, TILE), part.layer.fill, dtype=tile.dtype)
        whole[: tile.shape[0], : tile.shape[1]] = tile
        tile = whole
    return np.ascontiguousarray(tile, dtype=np.dtype(file_dtype(part)).newbyteorder("<")).tobytes()
