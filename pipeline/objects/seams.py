"""Where blocks meet: which parts touch over a face, by edges or by corners, and what borders what there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s
from pipeline.objects.labels import Connectivity

ABSENT = -1
"""Stands for the part of a pixel that is nodata."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of pixels of a block, beside one of its faces."""

    codes: Int64s
    parts: Int64s
    """Number of the part to which each pixel belongs, or `ABSENT`."""
    nodes: Int64s
    """Number of that part in the graph of a row of blocks, or `ABSENT`."""

    @classmethod
    def blank(cls, length: int) -> Line:
        """A line of nodata."""
        absent = np.full(length, ABSENT, dtype=np.int64)
        return cls(absent, absent, absent)

    @classmethod
    def joined(cls, lines: Sequence[Line]) -> Line:
        """Lines end to end."""
        if not lines:
            return cls.blank(0)
        return cls(*(np.concatenate([getattr(line, name) for line in lines]) for name in ("codes", "parts", "nodes")))


@dataclass(frozen=True, slots=True)
class Seam:
    """Two lines that lie along each other."""

    before: Line
    """Above, or to the left."""
    after: Line
    """Below, or to the right."""
    outside: npt.NDArray[np.bool_]
    """(n,) whether one side of the edge lies outside the raster."""

    def matches(self, connectivity: Connectivity) -> Int64s:
        """(2, n) nodes that are one component, each pair as often as it touches."""
        shifts = (0,) if connectivity == 4 else (-1, 0, 1)
        return np.concatenate([self._matches(shift) for shift in shifts], axis=1)

    def _matches(self, shift: int) -> Int64s:
        size = len(self.before.codes) - abs(shift)
        start, other = max(-shift, 0), max(shift, 0)
        before, after = slice(start, start + size), slice(other, other + size)
        equal = (self.before.codes[before] == self.after.codes[after]) & (self.before.nodes[before] != ABSENT)
        equal &= self.after.nodes[after] != ABSENT
        return np.stack([self.before.nodes[before][equal], self.after.nodes[after][equal]])

    def edges(self) -> tuple[Int64s, Int64s, Int64s]:
        """Nodes at each edge of a boundary; those of them at nodata; those at the raster's edge."""
        differ = self.before.codes != self.after.codes
        lines = ((self.before, self.after), (self.after, self.before))
        sides = [(line.nodes, differ & (line.nodes != ABSENT), other.nodes == ABSENT) for line, other in lines]
        boundary = np.concatenate([nodes[at] for nodes, at, _ in sides])
        nodata = np.concatenate([nodes[at & blank & ~self.outside] for nodes, at, blank in sides])
        outside = np.concatenate([nodes[at & self.outside] for nodes, at, _ in sides])
        return boundary, nodata, outside

    def pairs(self) -> tuple[Int64s, Int64s]:
        """Parts on both sides of each edge between two components."""
        at = (self.before.codes != self.after.codes) & (self.before.parts != ABSENT) & (self.after.parts != ABSENT)
        return self.before.parts[at], self.after.parts[at]


def row_seam(above: Mapping[int, Line], below: Mapping[int, Line], outside: bool) -> Seam:
    """The seam between two rows of blocks.

    Parameters
    ----------
    above, below
        Lines by the column of their blocks. What has no block is nodata.
    outside
        Whether one of the rows lies outside the raster.
    """
    before: list[Line] = []
    after: list[Line] = []
    previous = None
    for col in sorted(above.keys() | below.keys()):
        if previous is not None and col != previous + 1:  # corners do not meet over a gap
            before.append(Line.blank(1))
            after.append(Line.blank(1))
        _append(before, after, above.get(col), below.get(col))
        previous = col
    return _seam(before, after, [outside] * len(before))


def column_seam(left: Mapping[int, Line], right: Mapping[int, Line], last: int) -> Seam:
    """The seams between blocks of one row, one after the other.

    Parameters
    ----------
    left, right
        By the column of their blocks: the lines along the left and right faces.
    last
        Columns of blocks across the whole raster.
    """
    before: list[Line] = []
    after: list[Line] = []
    outside: list[bool] = []
    for col in sorted(left.keys() | {col + 1 for col in right}):
        _append(before, after, right.get(col - 1), left.get(col))
        before.append(Line.blank(1))  # corners do not meet from seam to seam
        after.append(Line.blank(1))
        outside += [col in (0, last)] * 2
    return _seam(before, after, outside)


def _append(before: list[Line], after: list[Line], first: Line | None, second: Line | None) -> None:
    present = first if first is not None else second
    assert present is not None
    before.append(first if first is not None else Line.blank(len(present.codes)))
    after.append(second if second is not None else Line.blank(len(present.codes)))


def _seam(before: list[Line], after: list[Line], outside: list[bool]) -> Seam:
    lengths = [len(line.codes) for line in before]
    flags: npt.NDArray[Any] = np.repeat(np.array(outside, dtype=bool), lengths)
    return Seam(Line.joined(before), Line.joined(after), flags)
