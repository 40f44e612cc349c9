"""Polygons of a file as one area in columns and rows, cut into small pieces that are found by place."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from pipeline.errors import SourceError
from pipeline.geometry.crs import bbox_in_crs, bbox_of, geojson_crs_hint, name_of
from pipeline.geometry.grid import Grid
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.sources.polygons import GeometryArray, PolygonFile, Polygons
from pipeline.sources.polygons_in_pixels import bbox_to_read, check_sides, in_pixels, polygon_parts

VERTICES = 256
"""Of a piece, at most: whoever looks at a window looks at all vertices of the pieces that reach into it."""
EDGE = 0.25
"""px by which windows are shrunk before polygons are looked for: centres of pixels lie further in, and outlines often
follow the pixels' edges."""


@dataclass(frozen=True, slots=True)
class AoiPieces:
    """An area in pixel coordinates: x is the column and y the row."""

    pieces: GeometryArray
    """(pieces,) polygons that do not overlap, cut along the edges of pixels, so that no cut runs through a centre."""
    tree: shapely.STRtree
    """Of the pieces."""
    areas: npt.NDArray[np.float64]
    """(pieces,) px²."""
    digest: str

    def near(self, window: Window) -> GeometryArray:
        """Pieces whose outline meets a window, always in one order."""
        pieces: GeometryArray = self.pieces[np.sort(self.tree.query(_box(window)))]
        return pieces

    def windows_touching(self, windows: Sequence[Window]) -> npt.NDArray[np.int64]:
        """Numbers of the windows that may hold the centre of a pixel of the area, sorted."""
        if not len(windows):
            return np.zeros(0, dtype=np.int64)
        shrunk = np.array([_box(window, EDGE) for window in windows])
        return np.unique(self.tree.query(shrunk, predicate="intersects")[0])

    def windows_containing(self, points: GeometryArray) -> npt.NDArray[np.bool_]:
        """(groups,) whether any point of a group, (groups, points), lies in the area."""
        contained = np.zeros(len(points), dtype=bool)
        contained[self.tree.query(points.ravel(), predicate="within")[0] // points.shape[1]] = True
        return contained

    def centred(self, windows: Sequence[Window]) -> npt.NDArray[np.bool_]:
        """(windows,) whether the pixel in the middle of some part of the area in a window has its centre there.

        Of most windows that hold any it has.
        """
        hits = np.zeros(len(windows), dtype=bool)
        if not len(windows):
            return hits
        boxes = np.array([_box(window) for window in windows])
        places, near = self.tree.query(boxes)
        inside = shapely.point_on_surface(shapely.intersection(self.pieces[near], boxes[places]))
        meets = ~shapely.is_empty(inside)
        places, near, centres = places[meets], near[meets], np.floor(shapely.get_coordinates(inside[meets])) + 0.5
        points = shapely.points(centres)
        hits[places[shapely.within(points, self.pieces[near]) & shapely.within(points, boxes[places])]] = True
        return hits


def load_aoi_pieces(layer: PolygonFile, grid: Grid) -> AoiPieces:
    """Read the polygons that reach into a raster.

    Raises
    ------
    SourceError
        They cannot be read or brought to the raster's CRS, are none, or lie elsewhere.
    """
    check_sides(layer, grid)
    whole = Window(row=0, col=0, height=grid.height, width=grid.width)
    features = layer.read(bbox_to_read(layer, grid, whole))
    shapes = shapely.intersection(_united(in_pixels(_valid(features.polygons), layer, grid)), _box(whole))
    if not shapely.area(shapes).sum():
        raise _no_overlap_error(layer, grid) if len(layer.read(None).fids) else _empty_error(layer)
    pieces = _pieces(shapes)
    return AoiPieces(pieces, shapely.STRtree(pieces), shapely.area(pieces), _digest(layer, features))


def _united(polygons: GeometryArray) -> GeometryArray:
    """Areas that have no point in common, of polygons that may cover each other.

    Only polygons that meet are united: to unite a hundred thousand that lie apart takes as long as to run a block each.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    valid = _valid(polygons)
    first, second = shapely.STRtree(valid).query(valid, predicate="intersects")
    pairs = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(len(valid),) * 2)
    number, groups = connected_components(pairs, directed=False)
    ends = np.cumsum(np.bincount(groups, minlength=number))[:-1]
    members = np.split(valid[np.argsort(groups, kind="stable")], ends)
    return np.array([shapely.union_all(one) if len(one) > 1 else one[0] for one in members if len(one)], dtype=object)


def _pieces(shapes: GeometryArray) -> GeometryArray:
    """Small pieces of shapes that do not overlap."""
    small = shapely.get_num_coordinates(shapes) <= VERTICES
    cut = [piece for shape in shapes[~small] for piece in _cut(shape, _frame(shape))]
    return np.array([*polygon_parts(shapes[small]), *cut], dtype=object)


def _frame(shape: Any) -> Window:
    """The pixels that a shape reaches into."""
    left, top, right, bottom = shapely.bounds(shape)
    rows, cols = Span(math.floor(top), math.ceil(bottom)), Span(math.floor(left), math.ceil(right))
    return Window.of(rows, cols)


def _valid(polygons: GeometryArray) -> GeometryArray:
    """Simple polygons: the parts of others one by one, and those that cross themselves by the even-odd rule."""
    return polygon_parts(shapely.make_valid(polygon_parts(polygons)))


def _cut(shape: Any, frame: Window) -> Iterator[Any]:
    """Pieces of a shape within a frame, which is halved along the edges of pixels until they are small."""
    if shapely.get_num_coordinates(shape) <= VERTICES or frame.pixels == 1:
        yield from polygon_parts(shape)
        return
    for half in _halves(frame):
        yield from _cut(shapely.intersection(shape, _box(half)), half)


def _halves(frame: Window) -> tuple[Window, Window]:
    if frame.height >= frame.width:
        first, second = _halved(frame.rows)
        return Window.of(first, frame.cols), Window.of(second, frame.cols)
    first, second = _halved(frame.cols)
    return Window.of(frame.rows, first), Window.of(frame.rows, second)


def _halved(span: Span) -> tuple[Span, Span]:
    middle = span.start + span.size // 2
    return Span(span.start, middle), Span(middle, span.stop)


def _box(window: Window, shrunk: float = 0.0) -> Any:
    return shapely.box(window.col + shrunk, window.row + shrunk, window.cols.stop - shrunk, window.rows.stop - shrunk)


def _digest(layer: PolygonFile, features: Polygons) -> str:
    """Digest of the coordinates as they stand in the file.

    Those in the raster's CRS differ in their last digits between releases of PROJ.
    """
    digest = hashlib.blake2b((name_of(layer.crs) if layer.crs else "").encode(), digest_size=16)
    for polygon in shapely.to_wkb(features.polygons, byte_order=1):
        digest.update(polygon)
    return digest.hexdigest()


def _empty_error(layer: PolygonFile) -> SourceError:
    condition = "" if layer.where is None else f" where {layer.where}"
    return SourceError(
        f"{layer.description} hold no polygon{condition} in their layer {layer.name}. Give "
        f"polygons{', or another condition' * bool(condition)}."
    )


def _no_overlap_error(layer: PolygonFile, grid: Grid) -> SourceError:
    if grid.wkt is None or layer.crs is None:
        return SourceError(
            f"{layer.description} do not overlap the raster: it has no CRS, so their coordinates are its "
            f"columns and rows, and they cover {layer.box}, "
            f"the raster {bbox_of(grid)}. Give an area of the same image."
        )
    extents = bbox_in_crs(layer.box, layer.crs, grid.wkt)
    covers = (
        " and ".join(map(str, extents))
        if extents
        else f"{layer.box} of their own CRS {name_of(layer.crs)}, which has no place there"
    )
    return SourceError(
        f"{layer.description} do not overlap the raster. In {name_of(grid.wkt)} they cover {covers}, the "
        f"raster {bbox_of(grid)}. "
        f"Give an area of the same place, or mend the CRS that it "
        f"claims.{geojson_crs_hint(layer.path, layer.box, layer.crs)}"
    )
