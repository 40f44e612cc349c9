"""What postprocessing asks of a component's surroundings: its longest neighbour, and the class that encloses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.objects.columns import Int64s
from pipeline.objects.components import SORTED_AT_ONCE, Components
from pipeline.objects.measure import sum_pairs

NO_CLASS = -1
"""Stands for the class of a neighbour where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What lies around some components, one value each."""

    start: int
    """Index of the first of them."""
    longest_code: Int64s
    """Class of the neighbour with the longest shared border, ties to the lowest code; `NO_CLASS` without neighbours."""
    longest_edges: Int64s
    """Pixel edges of that border."""
    enclosing_code: Int64s
    """The class of all neighbours where it is one, and neither nodata nor the raster's edge is touched by an edge;
    `NO_CLASS` otherwise."""


def surroundings(components: Components, size: int = SORTED_AT_ONCE) -> Iterator[Surroundings]:
    """What lies around each component, for so many at once; the components need ``measures.neighbours``."""
    codes = components.table.column("code")
    for start, stop, borders in components.borders(size):
        own, count = borders[:, 0] - start, stop - start
        neighbour_codes = codes.take(borders[:, 1])
        longest = np.lexsort((-neighbour_codes, borders[:, 2], own))  # the last of each component is the longest
        longest_code, longest_edges = _blank(count), np.zeros(count, dtype=np.int64)
        longest_code[own[longest]] = neighbour_codes[longest]
        longest_edges[own[longest]] = borders[longest, 2]
        yield Surroundings(
            start=start,
            longest_code=longest_code,
            longest_edges=longest_edges,
            enclosing_code=_enclosing(components, start, stop, np.column_stack([own, neighbour_codes, borders[:, 2]])),
        )


def _enclosing(components: Components, start: int, stop: int, borders: Int64s) -> Int64s:
    classes = sum_pairs(borders)
    codes = _blank(stop - start)
    codes[classes[:, 0]] = classes[:, 1]
    touches = sum(components.table.column(name).read(start, stop) for name in ("nodata_edges", "outside_edges"))
    codes[(np.bincount(classes[:, 0], minlength=stop - start) != 1) | (touches > 0)] = NO_CLASS
    return codes


def _blank(count: int) -> Int64s:
    return np.full(count, NO_CLASS, dtype=np.int64)
