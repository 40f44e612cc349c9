"""How many pixels of a raster are invalid and why, from a few windows of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import ReadError
from pipeline.inspect.scene_values import lattice
from pipeline.interfaces import CAUSES, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """What was seen in the windows that were looked at."""

    pixels: int
    """Pixels that were looked at."""
    counts: dict[str, int]
    """Invalid ones, by their cause."""
    windows: int
    """Windows that were to be looked at."""
    unread: int
    """Those of them that cannot be read."""

    def __str__(self) -> str:
        unreadable = f"{self.unread} of {self.windows} windows that were to be looked at cannot be read"
        if not self.pixels:
            return unreadable
        causes = ", ".join(f"{count / self.pixels:.2%} {cause}" for cause, count in self.counts.items())
        shares = (
            f"{sum(self.counts.values()) / self.pixels:.2%} of {self.pixels:,} px that were looked "
            f"at{': ' * bool(causes)}{causes}"
        )
        return f"{shares}; {unreadable}" if self.unread else shares


def invalid(source: Source) -> Invalid:
    """Look at windows on a lattice over a raster; those that cannot be read are counted."""
    pixels, counts, windows, unread = 0, np.zeros(len(CAUSES), np.int64), 0, 0
    for window in lattice(source.grid.height, source.grid.width):
        windows += 1
        try:
            causes = source.read(window).causes
        except ReadError:
            unread += 1
            continue
        pixels += window.pixels
        if causes is not None:
            counts += np.bincount(causes.ravel(), minlength=len(CAUSES))
    by_cause = {name: int(count) for name, count in zip(CAUSES, counts, strict=True) if name and count}
    return Invalid(pixels=pixels, counts=by_cause, windows=windows, unread=unread)
