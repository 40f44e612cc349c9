"""Simplified outlines: each arc once, from both sides alike, and as it is where it would touch another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.objects.arcs import Arc, arcs_of
from pipeline.objects.columns import Int64s
from pipeline.objects.crossings import (
    BEGINS,
    BEGINS_AT_NODE,
    CHANGED,
    ENDS,
    ENDS_AT_NODE,
    HAS_NEW_FORM,
    SEGMENT,
    touching_arcs,
)
from pipeline.objects.outlines import Outlines, object_rings, outline_batches
from pipeline.objects.parts import NO_OBJECT
from pipeline.objects.scratch import LongArray
from pipeline.objects.visvalingam import kept_points

_POINT = np.dtype([("arc", "<i8"), ("row", "<i4"), ("col", "<i4"), ("part", "<i8")])
"""A point that goes, of one side of its arc."""
_BUFFER = 4096
"""Arcs that are written at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simplification:
    """Which points of outlines go."""

    removed: LongArray
    """Records with the row and col of a lattice point and the component from whose rings it goes."""
    arcs: int
    """Arcs that have points between their ends."""
    unchanged_arcs: int
    """Those of them that stay as they are since they would have touched another."""


def simplify_outlines(outlines: Outlines, last_rows: Int64s, height: int, area: float, scratch: Path) -> Simplification:
    """Find the points that go when each arc is simplified.

    Parameters
    ----------
    outlines
        With shared corners.
    last_rows
        (objects,) the last row of each object.
    height
        Of the mask, px.
    area
        Triangles up to this size go, px².
    scratch
        A folder that is there.
    """
    segments = LongArray(scratch / "segments", dtype=SEGMENT)
    removed = LongArray(scratch / "removed", dtype=_POINT)
    arcs = _Arcs(outlines.owners, area, segments, removed)
    for batch in outline_batches(outlines, last_rows, scratch):
        arcs.add(arcs_of(object_rings(batch).rings, batch.file.read()))
    touching = touching_arcs(segments, height, scratch)
    segments.path.unlink(missing_ok=True)
    remaining = LongArray(scratch / "removed_for_good", dtype=_POINT)
    for _, points in removed.pieces():
        remaining.append(points[~np.isin(points["arc"], touching)])
    removed.path.unlink(missing_ok=True)
    return Simplification(removed=remaining, arcs=arcs.count, unchanged_arcs=len(touching))


class _Arcs:
    """Simplifies arcs one by one, and writes their pieces and the points that go."""

    def __init__(self, owners: Int64s, area: float, segments: LongArray, removed: LongArray) -> None:
        self.owners, self.area, self.segments, self.removed = owners, area, segments, removed
        self.number = 0
        self.count = 0
        """Arcs with points between their ends."""

    def add(self, arcs: Iterable[Arc]) -> None:
        """Take the arcs of a batch; one that another object brings is left to it."""
        segments: list[npt.NDArray[Any]] = []
        removed: list[npt.NDArray[Any]] = []
        for arc in arcs:
            is_plain = len(arc.points) == 2
            if not is_plain and self._is_chosen(arc.other) and arc.other < arc.part:
                continue
            self.number += 1
            kept = kept_points(arc.points, self.area)
            self.count += not is_plain
            segments.append(_segments(arc, arc.points, self.number, 0 if kept.all() else HAS_NEW_FORM))
            if not kept.all():
                segments.append(_segments(arc, arc.points[kept], self.number, CHANGED))
                removed += self._removed(arc, arc.points[~kept])
            if len(segments) > _BUFFER:
                self._write(segments, removed)
        self._write(segments, removed)

    def _is_chosen(self, part: int) -> bool:
        return part >= 0 and bool(self.owners[part] != NO_OBJECT)

    def _removed(self, arc: Arc, points: Int64s) -> list[npt.NDArray[Any]]:
        records = np.empty(len(points), dtype=_POINT)
        records["arc"], records["row"], records["col"], records["part"] = self.number, *points.T, arc.part
        if not self._is_chosen(arc.other):
            return [records]
        other = records.copy()
        other["part"] = arc.other
        return [records, other]

    def _write(self, segments: list[npt.NDArray[Any]], removed: list[npt.NDArray[Any]]) -> None:
        for batches, file in ((segments, self.segments), (removed, self.removed)):
            if batches:
                file.append(np.concatenate(batches))
            batches.clear()


def _segments(arc: Arc, points: Int64s, number: int, flags: int) -> npt.NDArray[Any]:
    records = np.empty(len(points) - 1, dtype=SEGMENT)
    records["arc"], records["place"], records["flags"] = number, np.arange(len(records)), flags
    records["row"], records["col"] = points[:-1].T
    records["end_row"], records["end_col"] = points[1:].T
    if arc.has_nodes:
        records["flags"][0] |= BEGINS_AT_NODE
        records["flags"][-1] |= ENDS_AT_NODE
    if (points[0] == points[-1]).all():
        records["flags"][0] |= BEGINS
        records["flags"][-1] |= ENDS
    return records
