"""Coverage of pixels against the area of what shapely cuts out of each of them."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geometry.window import Window
from pipeline.quality.stats.coverage import coverage
from pipeline.sources.polygons_in_pixels import polygon_parts

COORDINATES = st.one_of(
    st.integers(-4, 16), st.integers(-8, 32).map(lambda half: half / 2), st.floats(-9, 20, width=32), st.just(3.0000001)
)
POLYGONS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=12)
WINDOWS = st.builds(
    Window, row=st.integers(-3, 6), col=st.integers(-3, 6), height=st.integers(1, 9), width=st.integers(1, 9)
)


def valid(points: list[tuple[float, float]]) -> shapely.MultiPolygon:
    return shapely.multipolygons(polygon_parts(shapely.make_valid(shapely.Polygon(points))))


def cut_out(shape: shapely.Geometry, window: Window) -> np.ndarray:
    rows, cols = np.mgrid[window.slices]
    return shapely.area(shapely.intersection(shape, shapely.box(cols, rows, cols + 1, rows + 1)))


@settings(max_examples=100)
@given(POLYGONS, POLYGONS, WINDOWS)
def test_coverage_is_the_area_in_each_pixel(
    outline: list[tuple[float, float]], hole: list[tuple[float, float]], window: Window
) -> None:
    shape = shapely.difference(valid(outline), valid(hole))
    shape = shapely.multipolygons(polygon_parts(shape))
    np.testing.assert_allclose(coverage(shape, window), cut_out(shape, window), atol=1e-7)


@given(WINDOWS)
def test_pixels_well_inside_are_whole_and_those_outside_are_not_there(window: Window) -> None:
    assert (coverage(shapely.Point(3, 3).buffer(90), window) == 1).all()
    assert (coverage(shapely.Point(300, 3).buffer(90), window) == 0).all()
    ring = shapely.Point(3, 3).buffer(90).difference(shapely.Point(3, 3).buffer(40))
    assert (coverage(ring, window) == 0).all()


def test_windows_meet() -> None:
    shape = shapely.Point(30.3, 41.7).buffer(25.1, quad_segs=50)
    whole = coverage(shape, Window(row=0, col=0, height=80, width=70))
    for row in range(0, 80, 16):
        for col in range(0, 70, 14):
            part = Window(row=row, col=col, height=16, width=14)
            np.testing.assert_allclose(coverage(shape, part), whole[part.slices], atol=2e-12)
    assert abs(whole.sum() - shape.area) < 1e-9
