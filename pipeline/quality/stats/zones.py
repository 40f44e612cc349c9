"""Zones: polygons of a file with a name, in pixel coordinates, read as far as a window needs them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from pipeline.errors import InputError
from pipeline.geometry.ellipsoid import DoubleArray
from pipeline.geometry.grid import Grid
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.quality.stats.coverage import coverage
from pipeline.sources.polygons import GeometryArray, PolygonFile, Polygons, PolygonUse, open_polygons
from pipeline.sources.polygons_in_pixels import BENDS, bbox_to_read, check_sides, in_pixels, polygon_parts

BEND_PX = 16
"""Longest straight piece of an edge, px, where zones are brought to another CRS: of pixels of 100 m it is off by 0.001
px."""
FEATURES_AT_ONCE = 1000
"""Features that are held at once where zones are visited one by one."""
ZONE_POLYGONS = PolygonUse(
    name="The zones",
    option="Give --zones-layer NAME",
    alternative="",
    error=InputError,
    attribute="Give --field NAME",
)


@dataclass(frozen=True, slots=True)
class ZoneShapes:
    """Zones near a window."""

    numbers: npt.NDArray[np.int64]
    """(zones,) in the order of `Zones.names`."""
    shapes: GeometryArray
    """(zones,) valid polygons, x the column and y the row."""
    tree: shapely.STRtree

    def touching(self, window: Window) -> npt.NDArray[np.int64]:
        """Places among the zones of those whose outline meets a window."""
        places: npt.NDArray[np.int64] = np.sort(self.tree.query(_box(window)))
        return places

    def covers(self, places: npt.NDArray[np.int64], window: Window) -> Iterator[tuple[int, Window, DoubleArray]]:
        """Number of each of a few zones, the part of a window around it, and the coverage of the pixels there."""
        for place in places:
            left, top, right, bottom = shapely.bounds(self.shapes[place])
            part = Window.of(_span(top, bottom), _span(left, right)).intersect(window)
            if part.pixels:
                yield int(self.numbers[place]), part, coverage(self.shapes[place], part)


@dataclass(frozen=True)
class Zones:
    """The zones of a file. Features that share a name are one zone, and what they share counts once."""

    layer: PolygonFile
    grid: Grid
    """Of the raster."""
    names: tuple[str, ...]
    """In the order in which the file first names them."""
    fids: npt.NDArray[np.int64]
    """(features,) numbers in the file, sorted."""
    zone_of: npt.NDArray[np.int64]
    """(features,) zone of each."""

    def near(self, window: Window) -> ZoneShapes:
        """Zones that may reach into a window. Raises InputError where the file cannot be read."""
        if self.layer.indexed:
            return self._grouped(self._in_pixels(self.layer.read(bbox_to_read(self.layer, self.grid, window))))
        polygons, tree = self._everything
        return self._grouped(polygons[np.sort(tree.query(_box(window)))])

    def one_by_one(self) -> Iterator[tuple[int, Any]]:
        """Number and polygon of each zone that reaches into the raster, a few features in memory at once."""
        order = np.argsort(self.zone_of, kind="stable")
        ends = np.flatnonzero(np.diff(self.zone_of[order], append=-1)) + 1  # no zone is cut
        start = 0
        for end in ends.tolist():
            if end - start < FEATURES_AT_ONCE and end != len(order):
                continue
            shapes = self._grouped(self._features(self.fids[order[start:end]]))
            yield from zip(shapes.numbers.tolist(), shapes.shapes, strict=True)
            start = end

    def _features(self, fids: npt.NDArray[np.int64]) -> Polygons:
        if self.layer.indexed:
            return self._in_pixels(self.layer.read_numbers(fids))
        polygons, _ = self._everything
        return polygons[np.isin(polygons.fids, fids)]

    @cached_property
    def _everything(self) -> tuple[Polygons, shapely.STRtree]:
        """All that reaches into the raster, where the file itself has no index."""
        whole = Window(row=0, col=0, height=self.grid.height, width=self.grid.width)
        polygons = self._in_pixels(self.layer.read(bbox_to_read(self.layer, self.grid, whole)))
        return polygons, shapely.STRtree(polygons.polygons)

    def _in_pixels(self, read: Polygons) -> Polygons:
        bends = max(BENDS, max(self.grid.height, self.grid.width) // BEND_PX)
        shapes = in_pixels(read.polygons, self.layer, self.grid, bends)
        shapes[:] = [_area(shape) for shape in shapes]
        return Polygons(fids=read.fids, polygons=shapes, values=None)

    def _grouped(self, polygons: Polygons) -> ZoneShapes:
        """Features of one zone as one polygon."""
        zones = self.zone_of[np.searchsorted(self.fids, polygons.fids)]
        numbers, group = np.unique(zones, return_inverse=True)
        members = np.split(polygons.polygons[np.argsort(group, kind="stable")], np.cumsum(np.bincount(group))[:-1])
        shapes = np.empty(len(numbers), dtype=np.object_)
        shapes[:] = [_united(parts) for parts in members if len(parts)]
        return ZoneShapes(numbers=numbers, shapes=shapes, tree=shapely.STRtree(shapes))


def open_zones(path: str, field: str | None, layer: str | None, grid: Grid) -> Zones:
    """Look at a file of zones; no polygon is read.

    Parameters
    ----------
    path
        A path, a URL, or one of GDAL's ``/vsi`` names.
    field
        Whose value is the name of a zone; by default the feature's number.
    layer
        Needed where the file has several.
    grid
        Of the raster.

    Raises
    ------
    InputError
        The file is missing, holds no polygons, lacks the field or the layer, or only one of it and the raster has a
        CRS.
    ExtraError
        The extra ``vector`` is not installed.
    """
    polygons = open_polygons(path, layer, field, role=ZONE_POLYGONS)
    check_sides(polygons, grid)
    fids, values = polygons.fields()
    names = [zone_name(value) for value in (fids if values is None else values)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    order = np.argsort(fids, kind="stable")
    zone_of = np.array([numbers[name] for name in names], dtype=np.int64)
    return Zones(layer=polygons, grid=grid, names=tuple(numbers), fids=fids[order], zone_of=zone_of[order])


def zone_name(value: Any) -> str:
    """The value of a field as a name; a field of whole numbers stays one where some are missing."""
    if value is None or value != value or str(value) == "NaT":
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _area(shape: Any) -> Any:
    """The ground that a geometry covers, as a valid Polygon or MultiPolygon."""
    return shape if shapely.is_valid(shape) else shapely.multipolygons(polygon_parts(shapely.make_valid(shape)))


def _span(low: float, high: float) -> Span:
    return Span(math.floor(low), math.ceil(high))


def _united(parts: GeometryArray) -> Any:
    return parts[0] if len(parts) == 1 else _area(shapely.union_all(parts))


def _box(window: Window) -> Any:
    return shapely.box(window.col, window.row, window.cols.stop, window.rows.stop)
