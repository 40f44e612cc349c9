"""The blocks that an outline may reach, in the order in which blocks are read, without a visit to any other.

An outline is cut along the swaths, and what lies in a swath is cut along its rows of blocks::

    |    |    |    |    |      row 1: the outline does not reach it, and no block is visited
    |    |  ooooo  |    |      row 2: the outline spans two blocks, and these are visited
    |    oooooooooooo   |      row 3: three

So a small area of a raster of 2²⁵ × 2²⁵ px costs as much as the same area of a small raster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.sources.polygons import GeometryArray

Integers = npt.NDArray[np.int64]
_NARROW_BLOCKS = 4
"""Blocks that a piece may span and is taken to touch all of; longer ones are cut before they are looked at."""


def blocks_by_row(pieces: GeometryArray, layout: BlockGrid) -> Iterator[list[BlockIndex]]:
    """Rows of blocks of each swath, as `Layout.lines` has them.

    Blocks are those alone that pieces of an outline may reach.

    Parameters
    ----------
    pieces
        (pieces,) polygons in columns and rows of the raster.
    layout
        Of the raster.
    """
    rows, cols = layout.shape
    for swath, across in _swaths(pieces, layout):
        columns = Span(swath.start * layout.block, swath.stop * layout.block)
        inside = (
            across
            if layout.swaths == 1
            else _cut(across, Window.of(Span(0, rows * layout.block), columns), layout.block)
        )
        starts, stops = _spans(inside, 1, layout.block, rows)
        for row, active in _sweep(starts, stops, rows):
            strip = Window.of(Span(row * layout.block, (row + 1) * layout.block), columns)
            touched = _touched(*_spans(_cut(inside[active], strip, layout.block), 0, layout.block, cols), swath)
            if len(touched):
                yield [BlockIndex(row, col) for col in touched.tolist()]


def _swaths(pieces: GeometryArray, layout: BlockGrid) -> Iterator[tuple[Span, GeometryArray]]:
    """Swaths that any piece may reach, each with the pieces that may."""
    cols = layout.shape[1]
    swath_of = np.searchsorted([layout.swath(k).stop for k in range(layout.swaths)], np.arange(cols), side="right")
    starts, stops = _spans(pieces, 0, layout.block, cols)
    for k, active in _sweep(swath_of[starts], swath_of[stops - 1] + 1, layout.swaths):
        yield layout.swath(k), pieces[active]


def _sweep(starts: Integers, stops: Integers, count: int) -> Iterator[tuple[int, Integers]]:
    """Numbers below a count that lie in any of a few spans, from below, each with the spans that hold it."""
    order = np.argsort(starts, kind="stable")
    active, begun = np.zeros(0, dtype=np.int64), 0
    for number in _touched(starts, stops, Span(0, count)).tolist():
        end = int(np.searchsorted(starts[order], number, side="right"))
        active = np.concatenate([active, order[begun:end]])
        active, begun = active[stops[active] > number], end
        yield number, active


def _spans(pieces: GeometryArray, axis: int, block: int, count: int) -> tuple[Integers, Integers]:
    """First block of an axis that the box around each piece touches, and the one behind the last.

    The axis is 0 for columns, 1 for rows.
    """
    box = shapely.bounds(pieces).reshape(-1, 4)
    starts = np.clip(np.floor(box[:, axis] / block).astype(np.int64), 0, count - 1)
    stops = np.clip(np.ceil(box[:, axis + 2] / block).astype(np.int64), starts + 1, count)
    return starts, stops


def _touched(starts: Integers, stops: Integers, span: Span) -> Integers:
    """Numbers inside a span that lie in any of a few spans, sorted."""
    first, behind = (np.clip(edges, span.start, span.stop) - span.start for edges in (starts, stops))
    if len(starts) == 1:  # as nearly always
        return np.arange(first[0], behind[0]) + span.start
    steps = np.zeros(span.size + 1, dtype=np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, behind, -1)
    indexes: Integers = np.flatnonzero(np.cumsum(steps[:-1])) + span.start
    return indexes


def _cut(pieces: GeometryArray, window: Window, block: int) -> GeometryArray:
    """The parts of pieces inside a window; what spans few blocks is left as it is."""
    box = shapely.bounds(pieces).reshape(-1, 4)
    long = ((box[:, 2:] - box[:, :2]) > _NARROW_BLOCKS * block).any(1)
    if not long.any():
        return pieces
    parts: Any = shapely.get_parts(
        shapely.intersection(pieces[long], shapely.box(window.col, window.row, window.cols.stop, window.rows.stop))
    )
    return np.concatenate([pieces[~long], parts[~shapely.is_empty(parts)]])
