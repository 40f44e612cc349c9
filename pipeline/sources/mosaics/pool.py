"""Pieces that are open: a bounded number of handles, whatever the number of pieces."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.interfaces import Source

_Key = tuple[int, int]
"""The piece, and the thread that reads it: sources may hold a handle for each thread."""


class PiecePool:
    """Open pieces that no thread reads just now; those that were read longest ago are closed first."""

    def __init__(self, capacity: int) -> None:
        """Hold so many handles at most, beside those that are being read."""
        self._capacity = capacity
        self._idle: OrderedDict[_Key, Source] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def piece(self, number: int, open_: Callable[[], Source]) -> Iterator[Source]:
        """An open piece that no other thread uses; one that failed is not used again."""
        key = number, threading.get_ident()
        with self._lock:
            source = self._idle.pop(key, None)
        source = open_() if source is None else source
        yield source
        to_close = []
        with self._lock:
            self._idle[key] = source
            while len(self._idle) > self._capacity:
                to_close.append(self._idle.popitem(last=False))
        to_close.clear()  # outside of the lock: closing a file may take a while

    def __len__(self) -> int:
        return len(self._idle)
