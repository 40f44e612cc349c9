"""Where a grid lies on the globe, as STAC and GeoJSON have it: longitudes and latitudes of WGS 84."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.geometry.crs import transformer
from pipeline.geometry.grid import Grid

POINTS_PER_SIDE = 8
"""Per side of the grid, since its sides are curves in degrees."""
DEGREE_DIGITS = 7
"""Of degrees: about a centimetre."""


def footprint_of(grid: Grid) -> dict[str, Any]:
    """``geometry`` and ``bbox`` of an item; a geometry of None where nobody knows where the grid lies.

    A grid that crosses the antimeridian is two boxes, and its bbox runs from the eastern one to the western one
    (RFC 7946, sections 3.1.9 and 5.2).
    """
    if grid.wkt is None:
        return {"geometry": None}
    ring = _ring(grid)
    if not np.isfinite(ring).all():
        return {"geometry": None}
    if np.ptp(ring[:, 0]) > 180:
        return _crossing(ring)
    (west, south), (east, north) = ring.min(0).tolist(), ring.max(0).tolist()
    return {"bbox": [west, south, east, north], "geometry": {"type": "Polygon", "coordinates": [ring.tolist()]}}


def _ring(grid: Grid) -> Any:
    """(points, 2) of the outline, counterclockwise, closed."""
    t = np.linspace(0, 1, POINTS_PER_SIDE, endpoint=False)
    rows = np.concatenate([t, np.ones_like(t), 1 - t, np.zeros_like(t), [0]]) * grid.height
    cols = np.concatenate([np.zeros_like(t), t, np.ones_like(t), 1 - t, [0]]) * grid.width
    a, b, c, d, e, f = grid.transform
    lon, lat = transformer(str(grid.wkt), "OGC:CRS84").transform(a * cols + b * rows + c, d * cols + e * rows + f)
    return np.round(np.column_stack([lon, lat]), DEGREE_DIGITS)


def _crossing(ring: Any) -> dict[str, Any]:
    eastern = ring[:, 0] > 0
    west, east = float(ring[eastern, 0].min()), float(ring[~eastern, 0].max())
    south, north = float(ring[:, 1].min()), float(ring[:, 1].max())
    boxes = [_box(west, south, 180.0, north), _box(-180.0, south, east, north)]
    return {"bbox": [west, south, east, north], "geometry": {"type": "MultiPolygon", "coordinates": boxes}}


def _box(west: float, south: float, east: float, north: float) -> list[list[list[float]]]:
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]
