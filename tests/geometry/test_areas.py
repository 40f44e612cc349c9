"""Areas of pixels against rings of geodesics with a vertex at each pixel corner of a region's outline."""

import math

import numpy as np
import pyproj
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.geometry.areas import PixelAreas, pixel_areas
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window

SIDE = 200
EARTH = 510_065_621_724_088.44
"""Area of the ellipsoid WGS 84, m²; Karney, Algorithms for geodesics (2013)."""
PLACES = {
    "Pseudo Mercator at 60°": ("EPSG:3857", (50.0, 0, 1e6, 0, -50, 8_399_737.9)),
    "UTM": ("EPSG:32632", (30.0, 0, 3e5, 0, -30, 5.5e6)),
    "UTM, far from its meridian": ("EPSG:32632", (30.0, 0, 9e5, 0, -30, 8.9e6)),
    "UTM, rotated": ("EPSG:32632", (26.0, 15.0, 3e5, 15.0, -26.0, 5.5e6)),
    "US survey feet": ("EPSG:2263", (98.0, 0, 1e6, 0, -98, 2e5)),
    "Lambert, grads from Paris": ("EPSG:27572", (30.0, 0, 6e5, 0, -30, 2.4e6)),
    "equal areas": ("EPSG:3035", (30.0, 0, 4.3e6, 0, -30, 2.7e6)),
    "over the pole": ("EPSG:3413", (90.0, 0, -9.1e3, 0, -90, 9.3e3)),
    "over the antimeridian": ("EPSG:3832", (90.0, 0, 3.333e6, 0, -90, -2e6)),
    "degrees, rotated": ("EPSG:4326", (2e-4, 1e-4, 10, 1e-4, -2e-4, 60)),
    "degrees, rows along longitudes": ("EPSG:4326", (0.0, 2e-4, 10, 2e-4, 0, 60)),
    "bound to another datum": (
        "+proj=tmerc +lon_0=9 +k=1 +x_0=3500000 +ellps=bessel +towgs84=598,73,418,0.2,0.04,-2.4,6.7 +units=m",
        (30.0, 0, 3.6e6, 0, -30, 5.5e6),
    ),
}


def grid_of(crs: str, transform: tuple[float, ...], height: int = SIDE, width: int = SIDE) -> Grid:
    return Grid(height=height, width=width, transform=transform, wkt=pyproj.CRS(crs).to_wkt(), unit="crs")


def ring_area(grid: Grid) -> float:
    """The area of a grid's outline, as a ring of geodesics from corner to corner of its pixels, m²."""
    crs = pyproj.CRS.from_wkt(grid.wkt)
    crs = crs.source_crs if crs.is_bound else crs
    base = crs.geodetic_crs
    degrees = base.axis_info[0].unit_conversion_factor * 180 / math.pi
    rows = np.concatenate(
        [np.zeros(grid.width), np.arange(grid.height), np.full(grid.width, grid.height), np.arange(grid.height, 0, -1)]
    )
    cols = np.concatenate(
        [np.arange(grid.width), np.full(grid.height, grid.width), np.arange(grid.width, 0, -1), np.zeros(grid.height)]
    )
    a, b, c, d, e, f = grid.transform
    x, y = a * cols + b * rows + c, d * cols + e * rows + f
    lon, lat = pyproj.Transformer.from_crs(crs, base, always_xy=True).transform(x, y)
    area, _ = base.get_geod().polygon_area_perimeter(np.array(lon) * degrees, np.array(lat) * degrees)
    return abs(area)


def whole(grid: Grid) -> Window:
    return Window(row=0, col=0, height=grid.height, width=grid.width)


def total(areas: PixelAreas, window: Window) -> float:
    pixels = float(np.broadcast_to(areas.of(window), (window.height, window.width)).sum())
    assert areas.total(window) == pytest.approx(pixels, rel=1e-13)
    return pixels


@pytest.mark.parametrize("place", PLACES)
def test_areas_add_up_to_a_ring_with_a_vertex_at_each_pixel_corner(place: str) -> None:
    grid = grid_of(*PLACES[place])
    areas = pixel_areas(grid)
    assert (areas.unit, areas.method, areas.row(3)) == ("m2", "ellipsoidal", None)
    assert total(areas, whole(grid)) == pytest.approx(ring_area(grid), rel=1e-9)


@given(
    st.floats(-89, 89),
    st.floats(-179, 179),
    st.floats(1e-4, 4e-3),
    st.floats(1e-4, 4e-3),
    st.sampled_from([-1, 1]),
    st.sampled_from(["EPSG:4326", "EPSG:4258", "EPSG:4807"]),
)
@example(60.0, 10.0, 2e-3, 1e-3, -1, "EPSG:4326")
def test_geographic_areas_equal_the_ring_wherever_the_grid_lies(
    lat: float, lon: float, width: float, height: float, down: int, crs: str
) -> None:
    grid = grid_of(crs, (width, 0, lon, 0, down * height, lat))
    areas = pixel_areas(grid)
    assert areas.of(whole(grid)).shape == (SIDE, 1)
    assert total(areas, whole(grid)) == pytest.approx(ring_area(grid), rel=1e-9)


def test_rows_know_the_area_of_their_pixels() -> None:
    areas = pixel_areas(grid_of("EPSG:4326", (1e-4, 0, 10, 0, -1e-4, 60)))
    assert [areas.row(row) for row in range(3)] == areas.of(Window(row=0, col=0, height=3, width=9))[:, 0].tolist()


def test_small_pixels_keep_their_digits() -> None:
    """A difference of two areas from the equator would keep seven."""
    rows, size = 10**6, 1e-8
    fine = pixel_areas(grid_of("EPSG:4326", (size, 0, 10, 0, -size, 52), rows, 1))
    coarse = pixel_areas(grid_of("EPSG:4326", (size, 0, 10, 0, -size * rows, 52), 1, 1))
    assert total(fine, Window(row=0, col=0, height=rows, width=1)) == pytest.approx(coarse.row(0), rel=1e-13)
    assert fine.row(0) / fine.row(1) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("side", [0.5, 1.0, 30.0])
def test_pixels_of_the_globe_add_up_to_the_ellipsoid(side: float) -> None:
    grid = grid_of("EPSG:4326", (side, 0, -180, 0, -side, 90), int(180 / side), int(360 / side))
    assert total(pixel_areas(grid), whole(grid)) == pytest.approx(EARTH, rel=1e-12)


def test_rows_beyond_a_pole_have_no_area() -> None:
    areas = pixel_areas(grid_of("EPSG:4326", (1, 0, -180, 0, -1, 90.5), 181, 360))
    assert areas.row(-1) == 0.0
    assert 360 * sum(areas.row(row) for row in range(181)) == pytest.approx(EARTH, rel=1e-12)


def test_a_sphere_has_the_area_of_a_sphere() -> None:
    grid = grid_of("+proj=longlat +R=6371000", (10, 0, -180, 0, -10, 90), 18, 36)
    assert total(pixel_areas(grid), whole(grid)) == pytest.approx(4 * math.pi * 6_371_000**2, rel=1e-12)


@pytest.mark.parametrize(
    ("crs", "transform", "shape", "rel"),
    [
        ("EPSG:3857", (5e4, 0, -20_037_508.342789244, 0, -5e4, 1.9e7), (760, 801), 1e-10),
        ("EPSG:6933", (1e5, 0, -1.73e7, 0, -1e5, 7.3e6), (146, 346), 1e-9),
        ("+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +ellps=WGS84 +to_meter=0.0174532925199433",
         (0.11, 0, -20, 0, -0.11, 20), (300, 300), 1e-9),
    ],
)  # fmt: skip
def test_large_pixels_are_integrated(
    crs: str, transform: tuple[float, ...], shape: tuple[int, int], rel: float
) -> None:
    coarse = pixel_areas(grid_of(crs, transform, *shape))
    halved = tuple(value / 2 if place % 3 < 2 else value for place, value in enumerate(transform))
    fine = pixel_areas(grid_of(crs, halved, 2 * shape[0], 2 * shape[1]))
    sums = fine.of(Window(row=0, col=0, height=40, width=40)).reshape(20, 2, 20, 2).sum((1, 3))
    np.testing.assert_allclose(coarse.of(Window(row=0, col=0, height=20, width=20)), sums, rtol=rel)


@settings(max_examples=25)
@given(st.integers(0, 900), st.integers(0, 900), st.integers(1, 200), st.integers(1, 200))
def test_an_area_does_not_depend_on_the_window(row: int, col: int, height: int, width: int) -> None:
    grid = grid_of("EPSG:3857", (900.0, 0, 1e6, 0, -900, 8e6), 1000, 1000)
    window = Window(row=row, col=col, height=height, width=width)
    wide = pixel_areas(grid).of(Window(row=0, col=0, height=1100, width=1100))
    np.testing.assert_allclose(pixel_areas(grid).of(window), wide[window.slices], rtol=1e-13)
    assert pixel_areas(grid).total(window) == pytest.approx(wide[window.slices].sum(), rel=1e-12)
    assert (wide[1000:] == 0).all()


def test_no_product_is_so_large_that_threads_of_openblas_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, multiply = [], np.matmul

    def measured(rows: np.ndarray, cols: np.ndarray, out: np.ndarray) -> np.ndarray:
        sizes.append(rows.size * cols.shape[1])
        return multiply(rows, cols, out=out)

    monkeypatch.setattr(np, "matmul", measured)
    grid = grid_of(*PLACES["UTM"], 700, 1100)
    pixel_areas(grid).of(whole(grid))
    assert len(sizes) > 1
    assert max(sizes) <= 2**18


def test_pixels_beside_the_earth_have_no_area() -> None:
    grid = grid_of("+proj=ortho +lat_0=20 +lon_0=30 +ellps=WGS84", (1e6, 0, -7e6, 0, -1e6, 7e6), 14, 14)
    areas = pixel_areas(grid).of(whole(grid))
    assert areas[0, 0] == 0
    assert areas[6, 7] == pytest.approx(1e12, rel=3e-2)
    assert np.isfinite(areas).all()


def test_equal_areas_stay_equal_where_a_map_is_torn() -> None:
    grid = grid_of("+proj=igh +ellps=sphere", (5e4, 0, -5.2e6, 0, -5e4, 1e6), 12, 32)
    areas = pixel_areas(grid).of(whole(grid))
    torn = areas == 0
    assert 0 < torn.sum() < 60
    np.testing.assert_allclose(areas[~torn], 25e8, rtol=1e-6)


def test_without_a_datum_areas_are_planar() -> None:
    slide = pixel_areas(Grid(height=9, width=9, transform=(0.25, 0, 0, 0, 0.5, 0), unit="um"))
    image = pixel_areas(Grid(height=9, width=9))
    site = 'ENGCRS["site",EDATUM["site"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["foot",0.3048]]'
    plan = pixel_areas(Grid(height=9, width=9, transform=(10, 0, 0, 0, -10, 0), wkt=site, unit="crs"))
    assert [(areas.unit, areas.method, areas.row(7)) for areas in (slide, image, plan)] == [
        ("um2", "planar", 0.125),
        ("px", "planar", 1.0),
        ("m2", "planar", pytest.approx(9.290304)),
    ]
    window = Window(row=0, col=0, height=3, width=3)
    assert (slide.of(window).tolist(), slide.total(window)) == ([[0.125]], 1.125)


def test_a_crs_that_proj_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="gdal_edit"):
        pixel_areas(Grid(height=9, width=9, wkt="nothing", unit="crs"))
