"""How often each colour of 8 bits occurs: all that numbers of stains are made from, whatever order it is counted in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ColourValues = npt.NDArray[np.float64]
COLOUR_COUNT = 2**24
"""That there are: of 8 bits in red, green and blue."""
STAIN_DIGITS = 6
"""Of numbers of stains, so that they are the same whatever library solves for them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColourCounts:
    """Colours and how many pixels have each."""

    rgb: ColourValues
    """(colours, 3) from 0 to 255."""
    counts: npt.NDArray[np.int64]
    """(colours,)"""

    @property
    def pixels(self) -> int:
        """All that were counted."""
        return int(self.counts.sum())

    def where(self, mask: npt.NDArray[np.bool_]) -> ColourCounts:
        """Some of the colours."""
        return ColourCounts(rgb=self.rgb[mask], counts=self.counts[mask])

    def percentiles(self, values: ColourValues, percents: tuple[float, ...]) -> list[float]:
        """Percentiles of a value of each colour, between two as numpy's ``linear``."""
        order = np.argsort(values, kind="stable")
        ends = np.cumsum(self.counts[order])
        places = np.asarray(percents) / 100 * (ends[-1] - 1)
        low, high = (
            values[order][np.searchsorted(ends, np.floor(places) + k, side="right").clip(max=len(ends) - 1)]
            for k in (0, 1)
        )
        return [float(value) for value in low + (high - low) * (places - np.floor(places))]


def count_colours(parts: Iterable[npt.NDArray[np.uint8]]) -> ColourCounts:
    """Count the colours of (3, n) pixels, part by part; 64 MiB are held meanwhile."""
    totals = np.zeros(COLOUR_COUNT, np.uint32)
    for part in parts:
        red, green, blue = part.astype(np.uint32)
        codes, counts = np.unique((red << 16) | (green << 8) | blue, return_counts=True)
        totals[codes] += counts.astype(np.uint32)
    (codes,) = np.nonzero(totals)
    rgb = np.stack([codes >> 16, (codes >> 8) & 255, codes & 255], axis=1).astype(np.float64)
    return ColourCounts(rgb=rgb, counts=totals[codes].astype(np.int64))
