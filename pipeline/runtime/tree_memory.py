"""Memory that a run holds now, as ``execution.memory`` counts it: this process and all that it started."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

MIN_INTERVAL_S = 1.0
"""Seconds between two looks."""
MAX_SHARE = 0.005
"""Of the time that looking may take: where looks are slow, they are rarer."""


class TreeMemory:
    """Bytes that are resident, looked at once in a while."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._bytes, self._due = 0, -1.0

    def resident(self) -> int:
        """Bytes at the last look, which is now where one is due."""
        began = time.perf_counter()
        if began >= self._due:
            self._bytes = self._look()
            ended = time.perf_counter()
            self._due = ended + max(MIN_INTERVAL_S, (ended - began) / MAX_SHARE)
        return self._bytes

    def _look(self) -> int:
        total = 0
        for process in (self._process, *self._process.children(recursive=True)):
            with suppress(psutil.Error):  # it may end meanwhile
                total += process.memory_info().rss
        return total
