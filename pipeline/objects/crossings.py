"""Which simplified arcs touch others: exact, since all points are whole numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s
from pipeline.objects.scratch import LongArray
from pipeline.runtime.optional_imports import require

SEGMENT = np.dtype(
    [
        ("arc", "<i8"),
        ("row", "<i4"),
        ("col", "<i4"),
        ("end_row", "<i4"),
        ("end_col", "<i4"),
        ("place", "<i4"),
        ("flags", "u1"),
    ]
)
"""A straight piece of an arc from one point to the next, and its place along the arc."""
CHANGED, BEGINS_AT_NODE, ENDS_AT_NODE, BEGINS, ENDS, HAS_NEW_FORM = 1, 2, 4, 8, 16, 32
"""Flags: it is a piece of the new form of an arc; an end of it is a node; it is the first or last piece of a closed
arc; it is a piece of the old form of an arc that has a new one."""
BAND_SEGMENTS = 2**18
"""Pieces that are compared at once."""
_BAND_ROWS = 16
"""Rows by which bands are counted."""


def touching_arcs(segments: LongArray, height: int, scratch: Path) -> Int64s:
    """Arcs that stay as they are: their simplified form would touch another arc, or itself, elsewhere than at a node.

    Arcs are compared in their new forms; those that touch go back to the old ones, with which the others are compared
    in turn, until none touches.

    Parameters
    ----------
    segments
        Pieces of all arcs as they are, and of those that were simplified in their new form too.
    height
        Of the mask, px.
    scratch
        A folder that is there.
    """
    files = _bands(segments, height, scratch)
    unchanged = fresh = _touching_in(files, np.zeros(0, dtype=np.int64), None)
    while len(fresh):
        fresh = _touching_in(files, unchanged, fresh)
        unchanged = np.union1d(unchanged, fresh)
    for file in files:
        file.path.unlink()
    return unchanged


def _touching_in(files: list[LongArray], unchanged: Int64s, fresh: Int64s | None) -> Int64s:
    """Arcs that touch others, or, where these are named, arcs that went back to their old form."""
    touching = [np.zeros(0, dtype=np.int64)]
    for file in files:
        segments = file.read()
        is_new = (segments["flags"] & CHANGED) > 0
        goes_back = np.isin(segments["arc"], unchanged)
        first = segments[is_new & ~goes_back]
        if fresh is None:
            second = segments[is_new | ((segments["flags"] & HAS_NEW_FORM) == 0)]
        else:
            second = segments[~is_new & np.isin(segments["arc"], fresh)]
        touching.append(_touching(first, second))
    return np.unique(np.concatenate(touching))


def _bands(segments: LongArray, height: int, scratch: Path) -> list[LongArray]:
    """Pieces by bands of rows; one that reaches over several is in each."""
    counts = np.zeros(height // _BAND_ROWS + 2, dtype=np.int64)
    for _, piece in segments.pieces():
        np.add.at(counts, _low(piece) // _BAND_ROWS, 1)
    band_of = (np.cumsum(counts) - counts) // BAND_SEGMENTS
    files = [LongArray(scratch / f"band{band:07d}", dtype=SEGMENT) for band in range(int(band_of[-1]) + 1)]
    for _, piece in segments.pieces():
        first, last = band_of[_low(piece) // _BAND_ROWS], band_of[_high(piece) // _BAND_ROWS]
        times = last - first + 1
        rows = np.repeat(np.arange(len(piece)), times)
        bands = np.repeat(first, times) + np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
        for band in np.unique(bands).tolist():
            files[band].append(piece[rows[bands == band]])
    return [file for file in files if len(file)]


def _low(segments: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    return np.asarray(np.minimum(segments["row"], segments["end_row"]))


def _high(segments: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    return np.asarray(np.maximum(segments["row"], segments["end_row"]))


def _touching(changed: npt.NDArray[Any], segments: npt.NDArray[Any]) -> Int64s:
    """Arcs of new pieces that touch some pieces."""
    shapely = require("shapely", "vector", "Simplifying polygons")
    places, others = shapely.STRtree(_boxes(shapely, segments)).query(_boxes(shapely, changed))
    first, second = changed[places], segments[others]
    is_other = (first["arc"] != second["arc"]) | (first["place"] != second["place"])
    first, second = first[is_other], second[is_other]
    return np.unique(first["arc"][_intersect(first, second) & ~_meet_as_they_may(first, second)])


def _boxes(shapely: Any, segments: npt.NDArray[Any]) -> Any:
    cols, end_cols = segments["col"], segments["end_col"]
    return shapely.box(np.minimum(cols, end_cols), _low(segments), np.maximum(cols, end_cols), _high(segments))


def _intersect(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether pieces whose boxes touch have a point in common."""
    a, b = _ends(first)
    c, d = _ends(second)
    across = (_side(a, b, c) * _side(a, b, d) <= 0) & (_side(c, d, a) * _side(c, d, b) <= 0)
    return np.asarray(across)


def _meet_as_they_may(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether intersecting pieces share one end and no more: a node, or the point between neighbours along an arc."""
    allowed = np.zeros(len(first), dtype=bool)
    same_arc = first["arc"] == second["arc"]
    first_ends, second_ends = _ends(first), _ends(second)
    node_flags = (BEGINS_AT_NODE, ENDS_AT_NODE)
    for place, other in ((0, 0), (0, 1), (1, 0), (1, 1)):
        (p, p_far), (q, q_far) = first_ends[:: 1 - 2 * place], second_ends[:: 1 - 2 * other]
        shared = (p[0] == q[0]) & (p[1] == q[1])
        nodes = ((first["flags"] & node_flags[place]) > 0) & ((second["flags"] & node_flags[other]) > 0)
        along = same_arc & (place != other) & _follow(first, second, place)
        straight_back = (_side(p, p_far, q_far) == 0) & (_toward(p, p_far, q_far) > 0)
        allowed |= shared & (nodes | along) & ~straight_back
    return allowed


def _follow(first: npt.NDArray[Any], second: npt.NDArray[Any], place: int) -> npt.NDArray[np.bool_]:
    """Whether a piece follows the first along an arc at its end, or comes before it at its beginning."""
    earlier, later = (second, first) if place == 0 else (first, second)
    over_the_end = ((earlier["flags"] & ENDS) > 0) & ((later["flags"] & BEGINS) > 0)
    return np.asarray((earlier["place"] + 1 == later["place"]) | over_the_end)


_Point = tuple[Int64s, Int64s]


def _ends(segments: npt.NDArray[Any]) -> tuple[_Point, _Point]:
    row, col, end_row, end_col = (segments[name].astype(np.int64) for name in ("row", "col", "end_row", "end_col"))
    return (row, col), (end_row, end_col)


def _side(a: _Point, b: _Point, c: _Point) -> Int64s:
    """On which side of the line from a to b the point c lies: −1, 0 or 1."""
    return np.asarray(np.sign((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])))


def _toward(a: _Point, b: _Point, c: _Point) -> Int64s:
    """Positive where b and c lie in one direction from a."""
    return np.asarray((b[0] - a[0]) * (c[0] - a[0]) + (b[1] - a[1]) * (c[1] - a[1]))
