from pathlib import Path

import numpy as np
import rasterio

from pipeline.raster.grid import Grid
from pipeline.stages import quicklook
from pipeline.store.layout import create, open_layer
from pipeline.store.spec import ClassRow, StoreSpec


def draw(folder: Path, grid: Grid) -> np.ndarray:
    spec = StoreSpec(
        grid=grid, layers=("mask",), chunk=64, shard=None, nodata=255, dtype="uint8", zarr_format=3, levels=1,
        classes=(ClassRow(code=0, name="sea", color="#0000ff"), ClassRow(code=7, name="land", color="#00ff00")),
    )  # fmt: skip
    create(folder / "a.zarr", spec, {})
    array = open_layer(folder / "a.zarr", 0, "mask")
    array[:50] = 0
    array[50:80] = 7
    quicklook.draw(folder / "a.zarr", spec, folder / "a.png")
    with rasterio.open(folder / "a.png") as picture:
        return np.asarray(picture.read())


def test_classes_have_their_colours_and_nodata_has_none_of_them(tmp_path: Path) -> None:
    picture = draw(tmp_path, Grid(height=100, width=100))
    blue, green = ((picture == np.array(rgb)[:, None, None]).all(0) for rgb in ((0, 0, 255), (0, 255, 0)))
    assert np.isclose(blue.sum() / green.sum(), 50 / 30, rtol=0.02)
    grey = (picture[0] == 214) & (picture[1] == 214)
    assert grey.sum() > 0.05 * blue.sum()


def test_the_scale_bar_is_a_round_number_of_the_grids_unit() -> None:
    assert [quicklook._round(length) for length in (0.7, 3.0, 49.0, 1024.0)] == [0.5, 2, 20, 1000]
    assert quicklook._ground(Grid(height=1, width=1, transform=(0.5, 0, 0, 0, 0.5, 0), unit="um")) == (0.5, "µm")
    assert quicklook._ground(Grid(height=1, width=1)) == (1.0, "px")
    feet = rasterio.CRS.from_epsg(2263).to_wkt()
    size, unit = quicklook._ground(Grid(height=1, width=1, transform=(10, 0, 0, 0, -10, 0), wkt=feet, unit="crs"))
    assert (round(size, 3), unit) == (3.048, "m")
    degrees = rasterio.CRS.from_epsg(4326).to_wkt()
    size, unit = quicklook._ground(Grid(height=1, width=1, transform=(0.001, 0, 10, 0, -0.001, 60), wkt=degrees, unit="crs"))
    assert (abs(size - 55.7) < 0.5, unit) == (True, "m")
