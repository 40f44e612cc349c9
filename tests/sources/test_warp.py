"""A raster that is read on another grid than its own."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine

from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.sources.warp import WarpedRaster

WKT = CRS.from_epsg(32632).to_wkt()
VALUES = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write(tmp_path / "raster.tif", "uint16")


def write(place: Path, dtype: str) -> str:
    """Pixels of 2 m."""
    shape: dict[str, Any] = {
        "height": 40,
        "width": 60,
        "count": 1,
        "dtype": dtype,
        "crs": WKT,
        "transform": Affine(2, 0, 500_000, 0, -2, 5_000_000),
    }
    with rasterio.open(place, "w", driver="GTiff", **shape) as dataset:
        dataset.write(VALUES.astype(dtype), 1)
    return str(place)


def warped(path: str, pixel: float, size: tuple[int, int], west: float = 0.0, **options: Any) -> WarpedRaster:
    """The raster on a grid of such pixels that begins so far, m, to the west of it."""
    transform = (pixel, 0.0, 500_000 - west, 0.0, -pixel, 5_000_000.0)
    return WarpedRaster(
        path=path,
        opener=rasterio.open,
        grid=Grid(height=size[0], width=size[1], transform=transform, wkt=WKT),
        **options,
    )


def test_each_pixel_of_a_finer_grid_takes_the_nearest_of_the_raster(path: str) -> None:
    values, mask = warped(path, 1, (80, 120)).read(Window(row=10, col=20, height=30, width=50))
    np.testing.assert_array_equal(values, VALUES.repeat(2, 0).repeat(2, 1)[10:40, 20:70])
    assert (mask == 255).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "int64", "float32", "float64"])
def test_what_lies_outside_the_raster_is_masked_whatever_its_type(tmp_path: Path, dtype: str) -> None:
    values, mask = warped(write(tmp_path / "raster.tif", dtype), 2, (40, 70), west=10).read(
        Window(row=0, col=0, height=40, width=70)
    )
    assert (mask[:, :5] == 0).all()
    assert (mask[:, 5:65] == 255).all()
    assert (mask[:, 65:] == 0).all()
    np.testing.assert_array_equal(values[:, 5:65], VALUES.astype(dtype))


def test_the_resampling_that_is_asked_for_is_done(path: str) -> None:
    values, _ = warped(path, 4, (20, 30), resampling=Resampling.average).read(Window(row=0, col=0, height=20, width=30))
    np.testing.assert_allclose(values, VALUES.reshape(20, 2, 30, 2).mean((1, 3)), atol=0.5)


def test_it_pickles_as_a_spec_and_opens_a_handle_in_each_thread(path: str) -> None:
    opened, frame = list[str](), Window(row=0, col=0, height=40, width=60)

    def opener(name: str) -> Any:
        opened.append(name)
        return rasterio.open(name)

    here = WarpedRaster(path=path, opener=opener, grid=warped(path, 2, (40, 60)).grid, aligned=True)
    for _ in range(2):
        here.read(frame)
    other = threading.Thread(target=here.read, args=(frame,))
    other.start()
    other.join(60)
    here.reopen()
    here.read(frame)
    assert opened == [path] * 3
    copy = pickle.loads(pickle.dumps(warped(path, 2, (40, 60))))
    assert copy == warped(path, 2, (40, 60))
    np.testing.assert_array_equal(copy.read(frame)[0], VALUES)
