"""Objects of many vertices cut into tiles of few: viewers and editors take long over one polygon of a million.

A polygon is cut along a line of the lattice through the median of its vertices, across its longer side, until each
piece has few enough. Pieces tile the polygon: their areas add up to its own, and all but simplified ones are made of
whole pixels.

    +-----------+        +-----|-----+
    |           |        |     |     |
    |           |   →    |     |-----|
    +-----------+        +-----|-----+
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s
from pipeline.objects.rings import Int32s

MIN_VERTICES = 16
"""Fewer are refused: a pixel has five, and shapes of few pixels would be cut into these."""

Points = npt.NDArray[np.float64]
Rings = Sequence[Points]
"""The closed rings of a polygon, (n, 2) cols and rows; the outer one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """Polygons of objects by the vertices of their closed rings, one after the other."""

    cols: npt.NDArray[Any]
    rows: npt.NDArray[Any]
    ring_sizes: Int64s
    """Vertices of each ring."""
    polygon_rings: Int64s
    object_polygons: Int64s


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinePieces(Outline):
    """Pieces of objects, each in the place of an object."""

    objects: Int64s
    """(pieces,) the object of each."""
    part: Int32s
    """(pieces,) its number from 1."""
    parts: Int32s
    """(pieces,) of how many."""


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Pieces as they come."""

    points: list[npt.NDArray[Any]] = field(default_factory=list)
    ring_sizes: list[int] = field(default_factory=list)
    polygon_rings: list[int] = field(default_factory=list)
    object_polygons: list[int] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    numbers: list[tuple[int, int]] = field(default_factory=list)
    """Of each its number from 1, and of how many."""

    def add(self, number: int, pieces: Sequence[Sequence[Rings]]) -> None:
        """Add the pieces of an object, each of some polygons."""
        for place, polygons in enumerate(pieces):
            self.objects.append(number)
            self.numbers.append((place + 1, len(pieces)))
            self.object_polygons.append(len(polygons))
            for rings in polygons:
                self.polygon_rings.append(len(rings))
                self.ring_sizes.extend(map(len, rings))
                self.points.extend(rings)


def capped(outline: Outline, limit: int) -> OutlinePieces:
    """Objects in pieces of few vertices.

    Parameters
    ----------
    outline
        Objects, in columns and rows of the mask.
    limit
        Vertices of a piece, rings closed: at least `MIN_VERTICES`.
    """
    pieces = _Pieces()
    for number, polygons in enumerate(_objects(outline)):
        if sum(len(ring) for rings in polygons for ring in rings) <= limit:
            pieces.add(number, [polygons])
        else:
            # one by one: several in one feature would touch along a cut, which OGC forbids
            pieces.add(number, [[piece] for rings in polygons for piece in _cut(rings, limit)])
    numbers = np.array(pieces.numbers, dtype=np.int32).reshape(-1, 2)
    points = np.concatenate(pieces.points) if pieces.points else np.zeros((0, 2))
    if (points == np.floor(points)).all():
        points = points.astype(np.int32)
    return OutlinePieces(
        cols=points[:, 0],
        rows=points[:, 1],
        ring_sizes=_counts(pieces.ring_sizes),
        polygon_rings=_counts(pieces.polygon_rings),
        object_polygons=_counts(pieces.object_polygons),
        objects=_counts(pieces.objects),
        part=numbers[:, 0],
        parts=numbers[:, 1],
    )


def _counts(numbers: list[int]) -> Int64s:
    return np.array(numbers, dtype=np.int64)


def _objects(outline: Outline) -> Iterator[list[Rings]]:
    """The polygons of each object."""
    points = np.stack([outline.cols, outline.rows], axis=1)
    rings = np.split(points, np.cumsum(outline.ring_sizes)[:-1]) if len(outline.ring_sizes) else []
    ring = polygon = 0
    for count in outline.object_polygons.tolist():
        polygons: list[Rings] = []
        for size in outline.polygon_rings[polygon : polygon + count].tolist():
            polygons.append(rings[ring : ring + size])
            ring += size
        polygon += count
        yield polygons


def _cut(rings: Rings, limit: int) -> Iterator[Rings]:
    """A polygon in pieces, from the top left to the bottom right of each cut."""
    import shapely

    if sum(map(len, rings)) <= limit:
        yield rings
        return
    lines = shapely.linearrings(np.concatenate(rings), indices=np.repeat(np.arange(len(rings)), list(map(len, rings))))
    for polygon in _pieces(shapely.polygons(lines[0], lines[1:]), limit):
        outline = shapely.normalize(polygon)  # outer rings and holes turn as those of a mask do
        yield [shapely.get_coordinates(ring) for ring in (outline.exterior, *outline.interiors)]


def _pieces(polygon: Any, limit: int) -> Iterator[Any]:
    import shapely

    if shapely.get_num_coordinates(polygon) <= limit:
        yield polygon
        return
    for box in _halves(polygon):
        cut = shapely.get_parts(shapely.intersection(polygon, box))
        for piece in cut[shapely.get_dimensions(cut) == 2]:
            yield from _pieces(piece, limit)


def _halves(polygon: Any) -> list[Any]:
    """The box around a polygon, cut across its longer side."""
    import shapely

    left, top, right, bottom = shapely.bounds(polygon).tolist()
    across = right - left >= bottom - top
    low, high = (left, right) if across else (top, bottom)
    line = _line(shapely.get_coordinates(polygon)[:, 0 if across else 1], low, high)
    if across:
        return [shapely.box(left, top, line, bottom), shapely.box(line, top, right, bottom)]
    return [shapely.box(left, top, right, line), shapely.box(left, line, right, bottom)]


def _line(places: npt.NDArray[Any], low: float, high: float) -> float:
    """Where to cut between two ends: through the median vertex, or else in the middle; between pixels if it can be."""
    for place in (np.median(places), (low + high) / 2):
        line = float(np.floor(place + 0.5))
        if low < line < high:
            return line
    return (low + high) / 2
