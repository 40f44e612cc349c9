"""Polygons as well-known binary in one buffer, straight from arrays: each vertex is copied once.

The form is that of OGC 06-103r4, section 8, little-endian.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s

POLYGON, MULTIPOLYGON = 3, 6
_HEADER, _COUNT, _POINT = struct.Struct("<BII"), struct.Struct("<I"), 16


class Binary(NamedTuple):
    """Values of bytes end to end, as Arrow lays them out."""

    data: bytearray
    offsets: Int64s
    """(n + 1,) where each value begins, and the end."""

    def values(self) -> list[bytes]:
        """Each value on its own."""
        return [bytes(self.data[start:stop]) for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True)]


def polygons_as_wkb(
    points: npt.NDArray[np.float64], ring_sizes: Int64s, polygon_rings: Int64s, object_polygons: Int64s, multi: bool
) -> Binary:
    """Geometries of objects.

    Parameters
    ----------
    points
        (n, 2) x and y of vertices, ring after ring; each ring ends with its first vertex.
    ring_sizes
        Vertices of each ring.
    polygon_rings
        Rings of each polygon, the outer one first.
    object_polygons
        Polygons of each object: 1 unless ``multi``.
    multi
        Whether to make MultiPolygons.
    """
    polygons, rings, vertices = len(polygon_rings), len(ring_sizes), len(points)
    headers = polygons + (len(object_polygons) if multi else 0)
    data = bytearray(headers * _HEADER.size + rings * _COUNT.size + vertices * _POINT)
    offsets = np.zeros(len(object_polygons) + 1, dtype=np.int64)
    source = np.ascontiguousarray(points, dtype="<f8").data.cast("B")
    ring_counts, sizes = map(int, polygon_rings), map(int, ring_sizes)  # a list of them takes five times as much
    at, start = 0, 0
    for number, polygon_count in enumerate(object_polygons.tolist(), start=1):
        if multi:
            _HEADER.pack_into(data, at, 1, MULTIPOLYGON, polygon_count)
            at += _HEADER.size
        for _ in range(polygon_count):
            ring_count = next(ring_counts)
            _HEADER.pack_into(data, at, 1, POLYGON, ring_count)
            at += _HEADER.size
            for _ in range(ring_count):
                size = next(sizes)
                _COUNT.pack_into(data, at, size)
                at, stop = at + _COUNT.size, start + size * _POINT
                data[at : at + stop - start] = source[start:stop]
                at, start = at + stop - start, stop
        offsets[number] = at
    return Binary(data, offsets)
