"""A source on another grid: windows of it are those of one raster that GDAL warps in one piece."""

from __future__ import annotations

import math
import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.transform import Affine

from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES
from pipeline.sources.regrid import regridded as regridded_module
from pipeline.sources.regrid.kernels import RADIUS
from pipeline.sources.regrid.regridded import Regridded
from pipeline.sources.regrid.warp_vrt import warp_xml
from tests.sources.regrid import rasters

ZONE = {"crs": "EPSG:32632", "resolution": 10}
COARSE = {"crs": "EPSG:32632", "resolution": 30}
"""Two units in two."""
PLACES: dict[str, tuple[str, Affine, dict[str, Any]]] = {
    "its own CRS": ("EPSG:32633", rasters.UTM, {"resolution": 17}),
    "degrees": ("EPSG:32633", rasters.UTM, {"crs": "EPSG:4326"}),
    "south up": ("EPSG:32633", rasters.SOUTH_UP, ZONE),
    "rotated": ("EPSG:32633", rasters.ROTATED, ZONE),
    "antimeridian in degrees": ("EPSG:32660", rasters.DATELINE, {"crs": "EPSG:4326"}),
    "antimeridian in Mercator": ("EPSG:32660", rasters.DATELINE, {"crs": "EPSG:3857"}),
    "pole in degrees": ("EPSG:3413", rasters.POLE, {"crs": "EPSG:4326", "resolution": 1}),
    "the world around a pole": ("EPSG:4326", rasters.WORLD, {"crs": "EPSG:3413", "resolution": 200_000}),
}


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several units in a small raster."""
    monkeypatch.setattr(regridded_module, "LARGEST_UNIT", 32)


def check_windows(path: Path, source: Regridded, **options: Any) -> None:
    """Windows of a source equal those of the raster warped in one piece, bands and validity."""
    with rasters.in_one_piece(path, source, **options) as dataset:
        *bands, alpha = dataset.read()
    inside = alpha != 0
    assert inside.mean() > 0.2
    for window in rasters.windows(source):
        pixels, within = source.read(window), window.clip(source.grid.height, source.grid.width)
        here = within.index_in(window)
        assert (pixels.valid[here] == inside[within.slices]).all()
        assert pixels.valid.sum() == inside[within.slices].sum()
        expected = np.stack(bands)[(slice(None), *within.slices)]
        assert (pixels.data[(slice(None), *here)][:, pixels.valid[here]] == expected[:, pixels.valid[here]]).all()


@pytest.mark.nightly("jobs", after=3)
@pytest.mark.parametrize("resampling", list(RADIUS))
@pytest.mark.parametrize("grid", [ZONE, COARSE], ids=["as fine", "three times coarser"])
def test_windows_across_zones_equal_the_whole_warped_in_one_piece(
    tmp_path: Path, resampling: str, grid: dict[str, Any]
) -> None:
    path = rasters.noise(tmp_path / "a.tif")
    check_windows(path, rasters.regridded(path, grid, resampling))


@pytest.mark.nightly("jobs", after=len(PLACES))
@pytest.mark.parametrize("place", list(PLACES))
@pytest.mark.parametrize("resampling", ["cubic", "nearest", "bilinear", "lanczos", "average"])
def test_windows_anywhere_equal_the_whole_warped_in_one_piece(tmp_path: Path, place: str, resampling: str) -> None:
    crs, transform, grid = PLACES[place]
    path = rasters.noise(tmp_path / "a.tif", crs, transform)
    check_windows(path, rasters.regridded(path, grid, resampling), SAMPLE_GRID="YES", SOURCE_EXTRA=10)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_a_dtype_stays(tmp_path: Path, dtype: str) -> None:
    path = rasters.noise(tmp_path / "a.tif", dtype=dtype)
    source = rasters.regridded(path, COARSE, "cubic")
    assert source.dtype == rasters.whole(source).data.dtype == dtype
    check_windows(path, source)


def test_without_one_scale_for_the_grid_windows_differ_from_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the tests above: GDAL takes another scale for each window."""
    scale = re.compile(r'<Option name="[XY]SCALE">[^<]*</Option>')
    monkeypatch.setattr(regridded_module, "warp_xml", lambda **facts: scale.sub("", warp_xml(**facts)))
    path = rasters.noise(tmp_path / "a.tif")
    with pytest.raises(AssertionError):
        check_windows(path, rasters.regridded(path, {**COARSE, "resolution": 25}, "cubic"))


def test_units_of_any_size_give_the_same_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rasters.noise(tmp_path / "a.tif", nodata=7)
    reference = rasters.whole(rasters.regridded(path, ZONE, "lanczos"))
    for size in (37, 200):
        monkeypatch.setattr(regridded_module, "LARGEST_UNIT", size)
        pixels = rasters.whole(rasters.regridded(path, ZONE, "lanczos"))
        assert (pixels.data == reference.data).all()
        assert (pixels.valid == reference.valid).all()


@pytest.mark.nightly("jobs", after=len(RADIUS))
@pytest.mark.parametrize("resampling", list(RADIUS))
@pytest.mark.parametrize("grid", [COARSE, ZONE], ids=["three times coarser", "as fine"])
def test_a_pixel_is_invalid_where_an_invalid_one_lies_in_its_kernel(
    tmp_path: Path, resampling: str, grid: dict[str, Any]
) -> None:
    hole = (slice(40, 49), slice(60, 72))
    variants = []
    for name, value in (("a", 1), ("b", 50_000)):
        path = rasters.noise(tmp_path / f"{name}.tif")
        with rasterio.open(path, "r+") as dataset:
            values = dataset.read()
            values[(slice(None), *hole)] = value
            dataset.write(values)
        variants.append(rasters.whole(rasters.regridded(path, grid, resampling)))
    source = rasters.regridded(tmp_path / "b.tif", grid, resampling, nodata=50_000)
    pixels, (first, second) = rasters.whole(source), variants
    depends = (first.data != second.data).any(axis=0)
    assert depends.any()
    assert not (pixels.valid & depends).any()
    assert (pixels.data[:, pixels.valid] == second.data[:, pixels.valid]).all()
    assert pixels.causes is not None
    assert set(np.unique(pixels.causes)) == {0, CAUSES.index("nodata")}
    # no more than the kernel around the hole, and a pixel, is invalid
    reach = 1 + math.ceil(RADIUS[resampling] / min(*source.scale, 1.0)) / 1.0
    size = [(side.stop - side.start + 2 * reach) * scale + 2 for side, scale in zip(hole, source.scale, strict=True)]
    assert (first.valid & ~pixels.valid).sum() <= size[0] * size[1]


def test_nothing_is_valid_where_the_source_is_not(tmp_path: Path) -> None:
    path = rasters.noise(tmp_path / "a.tif", nodata=5)
    with rasterio.open(path, "r+") as dataset:
        dataset.write(np.full((2, rasters.HEIGHT, rasters.WIDTH), 5, "uint16"))
    pixels = rasters.whole(rasters.regridded(path, ZONE))
    assert not pixels.valid.any()
    assert pixels.causes is not None
    assert pixels.causes.max() == CAUSES.index("nodata")


def test_longitudes_beyond_180_degrees_are_those_around_the_earth(tmp_path: Path) -> None:
    east = rasters.noise(tmp_path / "a.tif", "EPSG:4326", rasters.WORLD_360)
    with rasterio.open(east) as dataset:
        values = dataset.read()
    grid = {"crs": "EPSG:4326", "resolution": [3.75, 2.0625], "bounds": [-180, -80, 180, 85]}
    pixels = rasters.whole(rasters.regridded(east, grid, "nearest"))
    assert pixels.valid.all()
    assert (pixels.data == np.roll(values, rasters.WIDTH // 2, axis=2)).all()
    zone = {"crs": "EPSG:32615", "resolution": 90_000, "bounds": [-1_500_000, 1_000_000, 2_000_000, 6_000_000]}
    assert rasters.whole(rasters.regridded(east, zone)).valid.all()


def test_ground_control_points_place_a_raster_as_its_transform_would(tmp_path: Path) -> None:
    path = rasters.noise(tmp_path / "a.tif")
    with rasterio.open(path) as dataset:
        values, crs, transform = dataset.read(), dataset.crs, dataset.transform
    corners = [(row, col) for row in (0, 40, 80) for col in (0, 48, 96)]
    points = [GroundControlPoint(row, col, *(transform @ (col, row)), 0.0) for row, col in corners]
    with rasterio.open(
        tmp_path / "points.tif", "w", driver="GTiff", height=80, width=96, count=2, dtype="uint16"
    ) as dataset:
        dataset.gcps = (points, crs)
        dataset.write(values)
    source = rasters.regridded(
        tmp_path / "points.tif", {"resolution": 20, "bounds": [499_000, 4_998_900, 501_300, 5_000_000]}
    )
    placed = rasters.regridded(path, {"resolution": 20, "bounds": [499_000, 4_998_900, 501_300, 5_000_000]})
    first, second = rasters.whole(source), rasters.whole(placed)
    assert (first.valid == second.valid).all()
    assert np.abs(first.data[:, first.valid].astype(int) - second.data[:, first.valid]).max() <= 1
    assert "9 ground control points" in source.notes[-1]


def test_it_pickles_as_a_spec(tmp_path: Path) -> None:
    source = rasters.regridded(rasters.noise(tmp_path / "a.tif"), ZONE)
    again: Regridded = pickle.loads(pickle.dumps(source))
    window = Window(row=3, col=5, height=40, width=60)
    assert (again.read(window).data == source.read(window).data).all()
    assert (again.identity(), again.grid) == (source.identity(), source.grid)


def test_a_store_keeps_the_grid_and_scale_that_it_was_made_with(tmp_path: Path) -> None:
    """Another release of PROJ moves their last digits; another grid is another job."""
    source = rasters.regridded(rasters.noise(tmp_path / "a.tif"), ZONE)
    stored = {f"source.{key}": value for key, value in source.identity().items()}
    stored["source.warp"] = {**stored["source.warp"], "scale": [value * 1.001 for value in source.scale]}
    moved = [value + shift for value, shift in zip(source.grid.transform, (0, 0, 1e-6, 0, 0, 0), strict=True)]
    stored["source.grid"] = {**stored["source.grid"], "transform": moved}
    kept = source.with_stored_grid(stored)
    assert list(kept.scale) == stored["source.warp"]["scale"]
    assert list(kept.grid.transform) == moved
    stored["source.grid"] = {**stored["source.grid"], "height": 3}
    assert source.with_stored_grid(stored) is source


def test_what_a_unit_needs_of_the_source_is_priced(tmp_path: Path) -> None:
    """A coarse grid takes up much of the source, and a unit of it is smaller."""
    path = rasters.noise(tmp_path / "a.tif")
    fine, coarse = (rasters.regridded(path, {"crs": "EPSG:32632", "resolution": size}) for size in (10, 40))
    read: list[Window] = []

    class Watched:
        """Notes which windows are read."""

        def __getattr__(self, name: str) -> Any:
            return getattr(fine.source, name)

        def read(self, window: Window) -> Any:
            read.append(window)
            return fine.source.read(window)

    rasters.whole(replace(fine, source=Watched()))
    largest = max(window.pixels for window in read)
    assert fine.working_bytes >= largest * fine.bands * 2 * 4
    assert coarse.working_bytes > fine.working_bytes
    far = replace(fine, scale=(1 / 500, 1 / 500))
    assert (fine.unit, far.unit) == (32, 4)
