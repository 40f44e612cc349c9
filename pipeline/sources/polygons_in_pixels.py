"""Polygons in pixel coordinates of an image.

X is the column and y the row, so that every window cuts the same shapes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from pipeline.geometry.crs import (
    TURN,
    Box,
    bbox_in_crs,
    bbox_of,
    crs_mismatch_error,
    crs_of,
    same_crs,
    transformer,
    with_turned_boxes,
)
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.sources.polygons import GeometryArray, PolygonFile, Polygons

EDGE_PX = 2
"""Read around a window: outlines bend between the points by which they are followed."""
EDGE_SHARE = 0.02
"""The same as a share of what is read."""
BENDS = 64
"""Pieces into which an edge as long as the image is cut: across 100 km of degrees a straight edge is off by 170 m, its
pieces by 4 cm."""


def check_sides(layer: PolygonFile, grid: Grid) -> None:
    """See that polygons and image both have a CRS, or that the polygons' coordinates can be columns and rows.

    Raises
    ------
    InputError
        The error of their role: only one of them has.
    """
    if (grid.wkt is None) == (layer.crs is None) or (grid.wkt is None and layer.is_geojson):
        return
    raise crs_mismatch_error(layer.description, layer.crs is not None, layer.role.error)


class IndexedPolygons:
    """All polygons that reach into an image, in memory with an index: for files that have none, such as GeoJSON."""

    def __init__(self, layer: PolygonFile, grid: Grid) -> None:
        self._features = features_in(layer, grid, Window(row=0, col=0, height=grid.height, width=grid.width))
        self._tree = shapely.STRtree(self._features.polygons)

    def touching(self, window: Window) -> Polygons:
        """Those whose outline meets a window, in the order of the file."""
        frame = shapely.box(window.col, window.row, window.cols.stop, window.rows.stop)
        return self._features[np.sort(self._tree.query(frame))]


def features_in(layer: PolygonFile, grid: Grid, window: Window) -> Polygons:
    """Read the polygons that may reach into a window, in pixel coordinates of the image.

    Parameters
    ----------
    layer
        Where from.
    grid
        Of the image.
    window
        Of the image, px.

    Raises
    ------
    InputError
        The error of their role: the file cannot be read, or a polygon has no place in the image's CRS.
    """
    features = layer.read(bbox_to_read(layer, grid, window))
    return replace(features, polygons=in_pixels(features.polygons, layer, grid))


def bbox_to_read(layer: PolygonFile, grid: Grid, window: Window) -> list[Box] | None:
    """Rectangles of the layer's CRS that hold all of a window; None where only everything does."""
    near = bbox_of(grid, Window.of(window.rows.grow(EDGE_PX), window.cols.grow(EDGE_PX)))
    if grid.wkt is None or layer.crs is None:
        return [near]
    sides = bbox_in_crs(near, grid.wkt, layer.crs)
    return None if sides is None else with_turned_boxes([box.grow(EDGE_SHARE) for box in sides], layer.crs, layer.box)


def in_pixels(polygons: GeometryArray, layer: PolygonFile, grid: Grid, bends: int = BENDS) -> GeometryArray:
    """Polygons of the layer's CRS in columns and rows. Nothing here depends on the window: windows must meet.

    Parameters
    ----------
    polygons
        (features,) in the layer's CRS.
    layer
        Where they are from.
    grid
        Of the image.
    bends
        Pieces into which an edge as long as the image is cut, where the CRS differ.

    Raises
    ------
    InputError
        The error of their role: a polygon has no place in the image's CRS.
    """
    if grid.wkt is not None and layer.crs is not None and not same_crs(layer.crs, grid.wkt):
        polygons = _bendable(
            polygons, bbox_to_read(layer, grid, Window(row=0, col=0, height=grid.height, width=grid.width)), bends
        )
    elif in_degrees(grid):
        polygons = _turned(polygons, bbox_of(grid).grow(EDGE_SHARE))
    moved = _moved(polygons, layer, grid)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise layer.role.error(
            f"{layer.description} hold polygons that have no place in the image's CRS. Clip them to the "
            f"image's surroundings first."
        )
    return moved


def in_degrees(grid: Grid) -> bool:
    """Whether the columns of an image are longitudes, which are the same place a turn further on.

    Not where it spans half the globe.
    """
    if grid.wkt is None or not crs_of(grid.wkt).is_geographic:
        return False
    box = bbox_of(grid)
    return box.right - box.left < TURN / 2


def _turned(polygons: GeometryArray, frame: Box) -> GeometryArray:
    """Polygons of longitudes that are a turn away brought to where the image has them.

    A polygon may have parts on both sides.
    """
    if not len(polygons):
        return polygons
    left, _, right, _ = shapely.bounds(polygons).T
    far = np.flatnonzero(
        np.any([(left + turn < frame.right) & (right + turn > frame.left) for turn in (-TURN, TURN)], axis=0)
    )
    if not len(far):
        return polygons
    polygons, turned = polygons.copy(), polygons[far]
    valid = shapely.make_valid(turned)
    parts = []
    for turn in (-TURN, 0.0, TURN):
        moved = shapely.transform(valid, lambda points, turn=turn: points + np.array([turn, 0.0]))
        parts.append(shapely.clip_by_rect(moved, frame.left, frame.bottom, frame.right, frame.top))
    polygons[far] = shapely.union_all(parts, axis=0)
    return polygons


def _bendable(polygons: GeometryArray, near: list[Box] | None, bends: int) -> GeometryArray:
    """Edges that are straight in their CRS are curves in another, and what is far away may have no place there.

    So polygons are cut to what is around the image, and long edges get points by which they can bend.
    """
    if near is None or not len(polygons):
        return polygons
    left, bottom, right, top = shapely.bounds(polygons).T
    inside = np.zeros(len(polygons), dtype=bool)
    for box in near:
        inside |= (left >= box.left) & (bottom >= box.bottom) & (right <= box.right) & (top <= box.top)
    # of a polygon that crosses itself, what gives points to its edges would keep a part only
    crossed = ~shapely.is_valid(polygons)
    polygons = polygons.copy()
    polygons[crossed] = [shapely.multipolygons(polygon_parts(shape)) for shape in shapely.make_valid(polygons[crossed])]
    large = polygons[~inside]
    parts = [shapely.clip_by_rect(large, box.left, box.bottom, box.right, box.top) for box in near]
    polygons[~inside] = shapely.union_all(parts, axis=0)
    side = max(max(box.right - box.left, box.top - box.bottom) for box in near)
    return np.asarray(shapely.segmentize(polygons, side / bends))


def polygon_parts(shapes: Any) -> GeometryArray:
    """What of geometries covers ground: polygons, one each."""
    parts = shapely.get_parts(shapely.get_parts(shapes))
    return np.asarray(parts[(shapely.get_dimensions(parts) == 2) & ~shapely.is_empty(parts)])


def _moved(polygons: GeometryArray, layer: PolygonFile, grid: Grid) -> GeometryArray:
    """Every vertex in columns and rows."""
    a, b, c, d, e, f = grid.of_polygons
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))

    box = bbox_of(grid)
    # what PROJ says of longitudes jumps at the antimeridian
    middle = (box.left + box.right) / 2 if in_degrees(grid) else None

    def move(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y = points.T
        if grid.wkt is not None and layer.crs is not None and not same_crs(layer.crs, grid.wkt):
            x, y = transformer(layer.crs, grid.wkt).transform(x, y)
            x = x if middle is None else x - TURN * np.round((x - middle) / TURN)
        return np.stack([x - c, y - f], axis=1) @ inverse.T

    return np.asarray(shapely.transform(polygons, move))
