"""Ground under polygons against every pixel at once."""

from __future__ import annotations

import pytest
import shapely

from pipeline.geometry.areas import pixel_areas
from pipeline.geometry.window import Window
from pipeline.quality.stats.coverage import coverage
from pipeline.quality.stats.ground import ground_under
from tests.quality.stats.stores import TRANSFORMS, grid_of

SHAPES = {
    "a disc": shapely.Point(400, 300).buffer(210.3),
    "a ring over the edge": shapely.Point(0, 0).buffer(400).difference(shapely.Point(5, 5).buffer(50)),
    "everything": shapely.box(-10, -10, 900, 900),
    "two triangles that touch": shapely.MultiPolygon(
        [shapely.Polygon([(1, 1), (80, 1), (1, 80)]), shapely.Polygon([(80, 1), (160, 1), (160, 90)])]
    ),
    "beside": shapely.box(-10, -10, -5, -5),
    "a needle": shapely.Polygon([(3, 3), (690, 500.01), (690, 500)]),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("crs", TRANSFORMS)
def test_quarters_add_up_to_the_pixels(shape: str, crs: str | None) -> None:
    window = Window(row=0, col=0, height=610, width=700)
    areas = pixel_areas(grid_of(crs, window.height, window.width))
    cover = coverage(SHAPES[shape], window)
    pixels, area = ground_under(SHAPES[shape], window, areas)
    assert pixels == pytest.approx(cover.sum(), rel=1e-10, abs=1e-9)
    assert area == pytest.approx((cover * areas.of(window)).sum(), rel=1e-10, abs=1e-9)


def test_a_polygon_over_ten_thousand_million_pixels_is_no_work() -> None:
    window = Window(row=0, col=0, height=10**5, width=10**5)
    areas = pixel_areas(grid_of("EPSG:32633", window.height, window.width))
    triangle = shapely.Polygon([(5e4, 5e4), (5.6e4, 5e4), (5e4, 5.6e4)])
    assert ground_under(triangle, window, areas)[0] == pytest.approx(1.8e7)
    assert ground_under(shapely.box(-1, -1, 2e5, 2e5), window, areas) == (1e10, pytest.approx(1e12, rel=1e-2))
