from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.exports import quicklook, scale_bar
from pipeline.geometry.grid import Grid
from pipeline.store import overviews as pyramid
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.spec import ClassRow, StoreSpec
from tests.store import specs


def draw(folder: Path, grid: Grid) -> np.ndarray:
    spec = StoreSpec(
        grid=grid,
        layers=("mask",),
        chunk=64,
        shard=None,
        nodata=255,
        dtype="uint8",
        zarr_format=3,
        levels=1,
        classes=(ClassRow(code=0, name="sea", color="#0000ff"), ClassRow(code=7, name="land", color="#00ff00")),
    )
    create(folder / "a.zarr", spec, {})
    array = open_layer(folder / "a.zarr", 0, "mask")
    array[:50] = 0
    array[50:80] = 7
    quicklook.draw_quicklook(folder / "a.zarr", spec, folder / "a.png")
    with rasterio.open(folder / "a.png") as picture:
        return np.asarray(picture.read())


def test_classes_have_their_colours_and_nodata_has_none_of_them(tmp_path: Path) -> None:
    picture = draw(tmp_path, Grid(height=100, width=100))
    blue, green = ((picture == np.array(rgb)[:, None, None]).all(0) for rgb in ((0, 0, 255), (0, 255, 0)))
    assert np.isclose(blue.sum() / green.sum(), 50 / 30, rtol=0.02)
    grey = (picture[0] == 214) & (picture[1] == 214)
    assert grey.sum() > 0.05 * blue.sum()


def test_the_scale_bar_is_a_round_number_of_the_grids_unit() -> None:
    assert [scale_bar._round(length) for length in (0.7, 3.0, 49.0, 1024.0)] == [0.5, 2, 20, 1000]
    assert scale_bar._ground(Grid(height=1, width=1, transform=(0.5, 0, 0, 0, 0.5, 0), unit="um")) == (0.5, "µm")
    assert scale_bar._ground(Grid(height=1, width=1)) == (1.0, "px")
    feet = rasterio.CRS.from_epsg(2263).to_wkt()
    size, unit = scale_bar._ground(Grid(height=1, width=1, transform=(10, 0, 0, 0, -10, 0), wkt=feet, unit="crs"))
    assert (round(size, 3), unit) == (3.048, "m")
    degrees = rasterio.CRS.from_epsg(4326).to_wkt()
    size, unit = scale_bar._ground(
        Grid(height=1, width=1, transform=(0.001, 0, 10, 0, -0.001, 60), wkt=degrees, unit="crs")
    )
    assert (abs(size - 55.7) < 0.5, unit) == (True, "m")


def test_a_picture_of_somebody_else_is_not_overwritten_and_one_of_ours_is(tmp_path: Path) -> None:
    path = specs.store(tmp_path / "scene.zarr", specs.spec(levels=1))
    png = tmp_path / "scene.png"
    png.write_bytes(b"the source itself")
    for _ in range(2):
        assert quicklook.draw_quicklook(path, specs.spec(levels=1), png) == tmp_path / "scene.zarr.png"
    assert png.read_bytes() == b"the source itself"
    png.unlink()
    for _ in range(2):
        assert quicklook.draw_quicklook(path, specs.spec(levels=1), png) == png
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scene.png", "scene.zarr", "scene.zarr.png"]


@pytest.mark.slow
@pytest.mark.parametrize(("levels", "overviews"), [(4, True), (1, False)])
def test_a_large_raster_is_drawn_small_with_and_without_overviews(tmp_path: Path, levels: int, overviews: bool) -> None:
    of = specs.spec(Grid(height=1500, width=3000), chunk=512, levels=levels)
    path = specs.store(tmp_path / "a.zarr", of)
    if overviews:
        pyramid.build_overviews(path, of)
    with rasterio.open(quicklook.draw_quicklook(path, of, tmp_path / "a.png")) as picture:
        assert quicklook._MAX_SIDE // 2 < picture.width < quicklook._MAX_SIDE + 400
        assert picture.height < quicklook._MAX_SIDE


def test_an_enlarged_pixel_is_as_wide_as_the_scale_bar_says(tmp_path: Path) -> None:
    of = specs.spec(Grid(height=20, width=35), levels=1)
    codes, px_per_px = quicklook._pixels(specs.store(tmp_path / "a.zarr", of), of)
    assert codes.shape == (20 * 16, 35 * 16)
    assert px_per_px == 1 / 16


@pytest.mark.slow
@pytest.mark.parametrize("fonts", [quicklook.FONTS, ()])
def test_many_classes_and_long_names_in_any_language_leave_the_picture_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fonts: tuple[str, ...]
) -> None:
    monkeypatch.setattr(quicklook, "FONTS", fonts)
    quicklook._font.cache_clear()
    classes = tuple(ClassRow(code=k, name=f"Gewässer und forêts {k} " * 4, color="#2b83ba") for k in range(200))
    of = specs.spec("of a slide", classes=classes, levels=1)
    with rasterio.open(
        quicklook.draw_quicklook(specs.store(tmp_path / "a.zarr", of), of, tmp_path / "a.png")
    ) as picture:
        pixels = picture.read()
    quicklook._font.cache_clear()
    assert pixels.shape[1] < 50 * quicklook.LINE
    assert (pixels[:, :, -quicklook.MARGIN :] == 255).all()
    assert (pixels[:, -quicklook.MARGIN :] == 255).all()


def test_letters_that_pillows_own_font_lacks_are_spelt_out() -> None:
    assert quicklook._ascii("20 µm Gewässer, forêt, 森") == "20 um Gewasser, foret, ?"
