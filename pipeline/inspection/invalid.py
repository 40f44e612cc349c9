"""How many pixels of a raster are invalid and why, from a few windows of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import ReadError
from pipeline.protocols import CAUSES, Source
from pipeline.suggest.scene import lattice


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """What was seen in the windows that were looked at."""

    pixels: int
    """Pixels that were looked at."""
    counts: dict[str, int]
    """Invalid ones, by their cause."""

    def __str__(self) -> str:
        causes = ", ".join(f"{count / self.pixels:.2%} {cause}" for cause, count in self.counts.items())
        return f"{sum(self.counts.values()) / self.pixels:.2%} of {self.pixels:,} px that were looked at{': ' * bool(causes)}{causes}"


def invalid(source: Source) -> Invalid | None:
    """Look at windows on a lattice over a raster; None where none of them can be read, which the run will tell."""
    pixels, counts = 0, np.zeros(len(CAUSES), np.int64)
    for window in lattice(source.grid.height, source.grid.width):
        try:
            causes = source.read(window).causes
        except ReadError:
            continue
        pixels += window.pixels
        if causes is not None:
            counts += np.bincount(causes.ravel(), minlength=len(CAUSES))
    return Invalid(pixels=pixels, counts={name: int(count) for name, count in zip(CAUSES, counts, strict=True) if name and count}) if pixels else None
