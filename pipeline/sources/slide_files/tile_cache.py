"""Decoded tiles that the next windows read as well: bounded, safe from many threads, each decoded by one of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from pipeline.runtime.resources import cores
from pipeline.sources.slide_files.pyramid import StoredTile

TilePlace = tuple[int, int]
"""(row, col) among the tiles of a level."""


class TileCache:
    """Tiles by place. Where there are too many, those go first that nobody asked for for longest.

    Windows come row by row, so that a cache of two rows of tiles decodes each once.
    """

    def __init__(self, budget: int) -> None:
        """Hold so many bytes at most."""
        self._budget, self._size = budget, 0
        self._lock = threading.Lock()
        self._tiles: OrderedDict[TilePlace, StoredTile] = OrderedDict()
        self._pending: dict[TilePlace, Future[StoredTile]] = {}

    def get(self, place: TilePlace, decode: Callable[[], StoredTile]) -> StoredTile:
        """A tile that is there, or that another thread is decoding, or that this one decodes."""
        with self._lock:
            if place in self._tiles:
                self._tiles.move_to_end(place)
                return self._tiles[place]
            pending = self._pending.get(place)
            if pending is None:
                future = self._pending[place] = Future()
        return self._decode(place, decode, future) if pending is None else pending.result()

    def _decode(self, place: TilePlace, decode: Callable[[], StoredTile], future: Future[StoredTile]) -> StoredTile:
        try:
            tile = decode()
        except BaseException as error:
            with self._lock:
                del self._pending[place]
            future.set_exception(error)
            raise
        with self._lock:
            del self._pending[place]
            self._hold(place, tile)
        future.set_result(tile)
        return tile

    def _hold(self, place: TilePlace, tile: StoredTile) -> None:
        if tile.nbytes > self._budget:
            return
        self._tiles[place] = tile
        self._size += tile.nbytes
        while self._size > self._budget:
            self._size -= self._tiles.popitem(last=False)[1].nbytes


@cache
def decoders() -> ThreadPoolExecutor:
    """Threads of this process that decode tiles: codecs let others run meanwhile."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="decoder")
