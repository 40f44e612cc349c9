"""When blocks will be done, by how long the recent ones took.

Blocks in flight come back in waves. A wave is as many blocks as are in flight, so that it takes as long as one block::

    time ──┬───────────┬─┬─┬───────┬─┬─┬─
           start       1 2 3       4 5 6     three in flight: 1–3 are a wave, and 4–6 another
"""

from __future__ import annotations

import math
import threading
from collections import deque
from itertools import pairwise
from statistics import fmean, stdev
from typing import NamedTuple

MAX_WAVES = 16
"""Waves that count as recent."""
MIN_WAVES = 3
"""Waves from which a spread is given; from more than these, the first is left out, since it holds the start."""
STALL_WAVES, STALL_S = 3, 60.0
"""Waves, and seconds, without any block, after which a run is said to stand still."""


class TimeLeft(NamedTuple):
    """Seconds until all blocks are done."""

    low: float
    high: float
    is_rough: bool
    """Whether too few blocks came back for a spread; then both are the same."""

    @property
    def middle(self) -> float:
        """The likeliest, s."""
        return (self.low + self.high) / 2


class BlockRate:
    """Times at which blocks came back, for any thread. What it holds grows with the blocks in flight."""

    def __init__(self, start: float, in_flight: int = 1) -> None:
        """Begin at a time, s, with so many blocks in flight."""
        self._in_flight = max(in_flight, 1)
        self._times = deque([start], maxlen=MAX_WAVES * self._in_flight + 1)
        self._lock = threading.Lock()

    def add(self, time: float) -> None:
        """A block came back at a time, s."""
        with self._lock:
            self._times.append(time)

    def idle(self, time: float) -> float:
        """Seconds since the last block."""
        return time - self._times[-1]

    def is_stalled(self, time: float) -> bool:
        """Whether no block came back for much longer than blocks take; never before the first."""
        waves = self._waves()
        return bool(waves) and self.idle(time) > max(STALL_WAVES * fmean(waves) * self._in_flight, STALL_S)

    def time_left(self, blocks: int, time: float) -> TimeLeft | None:
        """Seconds from a time until so many more blocks are done; None before the first.

        The spread is twice the standard error of the mean of the recent waves.
        """
        waves = self._waves()
        if not waves:
            return None
        is_rough = len(waves) < MIN_WAVES
        error = 0.0 if is_rough else 2 * stdev(waves) / math.sqrt(len(waves))
        low, high = (
            max(blocks * seconds - self.idle(time), 0.0) for seconds in (fmean(waves) - error, fmean(waves) + error)
        )
        return TimeLeft(low, high, is_rough)

    def _waves(self) -> list[float]:
        """Seconds per block of each recent wave."""
        with self._lock:
            times = tuple(self._times)
        if len(times) - 1 < self._in_flight:  # those of the first wave that are still out are about as far
            return [(times[-1] - times[0]) / self._in_flight] if len(times) > 1 else []
        ends = times[:: -self._in_flight]
        waves = [(later - earlier) / self._in_flight for later, earlier in pairwise(ends)]
        return waves[:-1] if len(waves) > MIN_WAVES else waves
