"""Pixels and area of a polygon in a raster, without a visit to each pixel: quarters that it covers count at once."""

from __future__ import annotations

from itertools import product
from typing import Any

import shapely

from pipeline.geometry.areas import PixelAreas
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.quality.stats.coverage import coverage

SMALL_PIXELS = 2**14
"""Pixels of a window in which each pixel is looked at."""


def ground_under(shape: Any, window: Window, areas: PixelAreas) -> tuple[float, float]:
    """What a polygon covers of a window.

    Parameters
    ----------
    shape
        A valid Polygon or MultiPolygon in pixel coordinates.
    window
        px, of any size.
    areas
        Of its pixels.

    Returns
    -------
    float, float
        The sum of coverage, px, and that of coverage times area.
    """
    frame = shapely.box(window.col, window.row, window.cols.stop, window.rows.stop)
    inside = shapely.intersection(shape, frame)
    if shapely.area(inside) == 0:
        return 0.0, 0.0
    if shapely.area(inside) == window.pixels and shapely.covers(shape, frame):
        return float(window.pixels), areas.total(window)
    if window.pixels <= SMALL_PIXELS:
        cover = coverage(shapely.multipolygons(_polygons(inside)), window)
        return float(cover.sum()), float((cover * areas.of(window)).sum())
    quarters = [ground_under(inside, quarter, areas) for quarter in _quarters(window)]
    return sum(pixels for pixels, _ in quarters), sum(area for _, area in quarters)


def _polygons(shape: Any) -> Any:
    parts = shapely.get_parts(shapely.get_parts(shape))
    return parts[shapely.get_dimensions(parts) == 2]


def _quarters(window: Window) -> list[Window]:
    return [Window.of(rows, cols) for rows, cols in product(_halves(window.rows), _halves(window.cols))]


def _halves(span: Span) -> list[Span]:
    middle = span.start + span.size // 2
    return [half for half in (Span(span.start, middle), Span(middle, span.stop)) if half.size]
