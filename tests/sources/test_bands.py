"""Bands in files of their own are one raster: the stacked one, whatever the windows."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from pipeline.config import SourceConfig
from pipeline.errors import SourceError, StoreError
from pipeline.geometry.window import Window
from pipeline.interfaces import CAUSES
from pipeline.sources import open_source
from pipeline.store.lifecycle import open_layer
from tests import runs, scenes

LEFT, TOP = 500_000, 4_600_000
ALL = {"transform": from_origin(LEFT, TOP, 10, 10)}


def source(path: Any, **more: Any) -> Any:
    return open_source(SourceConfig(kind="bands", path=path if isinstance(path, dict) else str(path), **more))


def read(opened: Any, window: Window | None = None) -> Any:
    return opened.read(window or Window(row=0, col=0, height=opened.grid.height, width=opened.grid.width))


def split(folder: Path, data: np.ndarray, name: str = "B{}.tif", **profile: Any) -> Path:
    """A file for each band, and the template that names them."""
    for k, band in enumerate(data, 1):
        scenes.write(folder / name.format(k), band[np.newaxis], **profile)
    return folder / name.format("{band}")


def coarse(folder: Path, name: str, size: float, **profile: Any) -> Path:
    """A band of other pixels on the same ground, 600 m on each side."""
    count = round(600 / size)
    data = np.random.default_rng(count).integers(1, 5000, (1, count, count)).astype("uint16")
    return scenes.write(folder / name, data, transform=from_origin(LEFT, TOP, size, size), nodata=0, **profile)


def windows(rng: np.random.Generator, size: int, count: int = 25) -> list[Window]:
    corners = rng.integers(-15, size, (count, 2)).tolist()
    return [
        Window(row=r, col=c, height=int(h), width=int(w))
        for (r, c), (h, w) in zip(corners, rng.integers(1, 40, (count, 2)), strict=True)
    ]


@pytest.mark.parametrize("rule", ["all", "any"])
def test_a_file_per_band_is_the_stacked_raster(tmp_path: Path, rule: str) -> None:
    data = scenes.position(50, 60, 4)
    data[:, :8] = 0
    data[1, 20:30] = 0
    stacked = open_source(SourceConfig(path=str(scenes.write(tmp_path / "a.tif", data, nodata=0)), nodata_rule=rule))
    opened = source(split(tmp_path, data, nodata=0), bands=[1, 2, 3, 4], nodata_rule=rule)
    assert (opened.grid, opened.dtype, opened.bands) == (stacked.grid, stacked.dtype, 4)
    for window in windows(np.random.default_rng(0), 50):
        got, expected = opened.read(window), stacked.read(window)
        assert (got.data == expected.data).all()
        assert (got.valid == expected.valid).all()
        assert (
            np.array_equal(*(0 if p.causes is None else p.causes for p in (got, expected))) or not expected.valid.any()
        )


def test_a_number_that_is_none_is_invalid_in_any_band_whatever_the_rule(tmp_path: Path) -> None:
    data = np.array([[[np.nan, 1, 1, 1]], [[1, np.inf, 1, -1]]], dtype="float32")
    opened = source(split(tmp_path, data, nodata=float("nan")), bands=[1, 2])
    assert read(opened).valid.tolist() == [[False, False, True, True]]
    assert read(source(tmp_path / "B{band}.tif", bands=[1, 2], nodata=None)).valid.tolist() == [
        [False, False, True, True]
    ]


def test_bands_come_by_name_in_the_order_asked_for(tmp_path: Path) -> None:
    data = scenes.position(20, 20)
    split(tmp_path, data)
    files = {"red": str(tmp_path / "B1.tif"), "green": str(tmp_path / "B2.tif"), "nir": str(tmp_path / "B3.tif")}
    assert (read(source(files)).data == data).all()
    assert (read(source(files, bands=["nir", "red"])).data == data[[2, 0]]).all()


@pytest.mark.parametrize("method", ["nearest", "bilinear", "cubic", "lanczos", "average"])
@pytest.mark.parametrize("tiling", [{"tiled": True, "blockxsize": 16, "blockysize": 16}, {}])
def test_windows_of_coarser_bands_equal_the_whole(tmp_path: Path, method: str, tiling: dict[str, Any]) -> None:
    for name, size in (("B02.tif", 10), ("B05.tif", 20), ("B09.tif", 60)):
        coarse(tmp_path, name, size, **tiling)
    opened = source(tmp_path / "{band}.tif", bands=["B05", "B02", "B09"], resampling=method)
    whole = read(opened)
    assert whole.data.shape == (3, 60, 60)
    assert whole.valid.all()
    for window in windows(np.random.default_rng(1), 60):
        got, inside = opened.read(window), window.clip(60, 60)
        assert (got.data[(slice(None), *inside.index_in(window))] == whole.data[(slice(None), *inside.slices)]).all()
        assert got.valid.sum() == inside.pixels


def test_the_resolution_may_be_that_of_a_coarser_band_or_any(tmp_path: Path) -> None:
    fine, rough = (coarse(tmp_path, f"B{size}.tif", size) for size in (10, 20))
    opened = source(tmp_path / "B{band}.tif", bands=[10, 20], resolution=20, resampling="average")
    means = scenes.read(fine)[0].reshape(30, 2, 30, 2).mean((1, 3))
    assert opened.grid.pixel_size == (20, 20)
    assert (read(opened).data[0] == np.floor(means + 0.5)).all()
    assert (read(opened).data[1] == scenes.read(rough)[0]).all()
    other = source(tmp_path / "B{band}.tif", bands=[10, 20], resolution=16)
    assert (other.grid.height, other.grid.bounds[0], other.grid.bounds[3]) == (38, LEFT, TOP)
    assert read(other).valid[:37, :37].all()


def test_a_pixel_is_invalid_where_a_pixel_of_its_sum_is(tmp_path: Path) -> None:
    coarse(tmp_path, "B10.tif", 10)
    data = np.full((1, 30, 30), 700, np.uint16)
    data[0, 10, 10] = 0
    scenes.write(tmp_path / "B20.tif", data, nodata=0, transform=from_origin(LEFT, TOP, 20, 20))
    path = tmp_path / "B{band}.tif"
    invalid = ~read(source(path, bands=[10, 20], nodata_rule="any")).valid
    assert (np.argwhere(invalid).min(0).tolist(), np.argwhere(invalid).max(0).tolist()) == ([19, 19], [22, 22])
    assert (~read(source(path, bands=[10, 20], nodata_rule="any", resampling="nearest")).valid).sum() == 4
    values = read(source(path, bands=[10, 20]))
    assert values.valid.all()
    assert np.unique(values.data[1]).tolist() == [0, 700]
    assert (values.data[1] == 0).sum() == 4


def test_where_a_band_does_not_lie_pixels_are_invalid(tmp_path: Path) -> None:
    scenes.write(tmp_path / "B1.tif", np.ones((1, 40, 40), np.uint16))
    scenes.write(tmp_path / "B2.tif", np.ones((1, 10, 40), np.uint16), transform=from_origin(LEFT, TOP, 20, 20))
    got = read(source(tmp_path / "B{band}.tif", bands=[1, 2]))
    assert (got.valid == (np.arange(40) < 20)[:, np.newaxis]).all()
    assert CAUSES[got.causes[30, 0]] == "never written"


def test_many_threads_and_a_pickle_read_what_one_reads(tmp_path: Path) -> None:
    for size in (10, 20):
        coarse(tmp_path, f"B{size}.tif", size, tiled=True, blockxsize=16, blockysize=16)
    opened = source(tmp_path / "B{band}.tif", bands=[10, 20])
    whole, again = read(opened).data, pickle.loads(pickle.dumps(opened))
    parts = [Window(row=r, col=c, height=15, width=15) for r in range(0, 60, 15) for c in range(0, 60, 15)] * 4
    with ThreadPoolExecutor(8) as pool:
        for window, got in zip(parts, pool.map(again.read, parts), strict=True):
            assert (got.data == whole[(slice(None), *window.slices)]).all()
    assert again.identity() == opened.identity()


def test_the_identity_covers_every_file_and_how_it_is_resampled(tmp_path: Path) -> None:
    for size in (10, 20):
        coarse(tmp_path, f"B{size}.tif", size)
    path = tmp_path / "B{band}.tif"
    first = source(path, bands=[10, 20]).identity()
    assert json.loads(json.dumps(first)) == first
    assert first == source(path, bands=[10, 20]).identity()
    assert first != source(path, bands=[10, 20], resampling="cubic").identity()
    assert first != source(path, bands=[20, 10]).identity()
    coarse(tmp_path, "B20.tif", 20, compress="deflate")
    assert first != source(path, bands=[10, 20]).identity()


def test_notes_name_the_files_and_the_resampling(tmp_path: Path) -> None:
    for size in (10, 20, 60):
        coarse(tmp_path, f"B{size}.tif", size)
    notes = source(tmp_path / "B{band}.tif", bands=[10, 20, 60]).notes
    assert notes[0] == "its bands are files of their own: 10 of B10.tif, 20 of B20.tif, 60 of B60.tif"
    assert notes[1:] == (
        "20 is brought from pixels of 20 to 10 metre by bilinear",
        "60 is brought from pixels of 60 to 10 metre by bilinear",
    )


def test_bands_that_are_not_parallel_are_refused(tmp_path: Path) -> None:
    ones = np.ones((1, 10, 10), np.uint16)
    scenes.write(tmp_path / "B1.tif", ones)
    for k, profile, message in (
        (2, {"crs": "EPSG:32634"}, r"Band 2 lies in EPSG:32634, and the others in EPSG:32633"),
        (3, {"transform": from_origin(LEFT, TOP, 10, 10) * from_origin(0, 0, 1, 1).rotation(9)}, "Band 3 is turned"),
        (4, {"transform": from_origin(0, 0, 10, 10)}, "Band 4 lies elsewhere"),
    ):
        scenes.write(tmp_path / f"B{k}.tif", ones, **profile)
        with pytest.raises(SourceError, match=message):
            source(tmp_path / "B{band}.tif", bands=[1, k])


def test_a_file_of_several_bands_is_refused_and_one_of_them_may_be_named(tmp_path: Path) -> None:
    data = scenes.position(10, 10)
    path = scenes.write(tmp_path / "B1.tif", data)
    with pytest.raises(SourceError, match=r"B1.tif has 3 bands, and kind: bands reads files of one band each"):
        source(tmp_path / "B{band}.tif", bands=[1])
    assert (read(source({"green": f"vrt://{path}?bands=2"})).data == data[[1]]).all()


@pytest.mark.slow
def test_a_job_over_files_is_that_over_the_stacked_raster(tmp_path: Path) -> None:
    runs.go(scenes.config(tmp_path, "stacked"))
    with rasterio.open(tmp_path / "scene.tif") as raster:
        split(tmp_path, raster.read(), nodata=0)
    source = {"kind": "bands", "path": str(tmp_path / "B{band}.tif"), "bands": [1, 2, 3]}
    report = runs.go(scenes.config(tmp_path, "files", source=source))
    masks = [open_layer(tmp_path / f"{name}.zarr", 0, "mask")[:] for name in ("stacked", "files")]
    assert (np.asarray(masks[0]) == np.asarray(masks[1])).all()
    assert not report.failures
    with pytest.raises(StoreError, match=r"source\.bands was"):
        runs.go(scenes.config(tmp_path, "files", source={**source, "bands": [3, 2, 1]}))


def test_on_another_grid_they_are_the_stacked_raster_on_it(tmp_path: Path) -> None:
    data = np.random.default_rng(5).integers(0, 4000, (3, 60, 80)).astype("uint16")
    stacked = scenes.write(tmp_path / "s.tif", data, **ALL, nodata=0, crs="EPSG:32633")
    template = split(tmp_path, data, **ALL, nodata=0, crs="EPSG:32633")
    grid = {"grid": {"crs": "EPSG:32632", "resolution": 12}, "resampling": "cubic"}
    whole = open_source(SourceConfig(path=str(stacked), **grid))
    bands = source(template, bands=[1, 2, 3], **grid)
    assert bands.grid == whole.grid
    assert (read(bands).data == read(whole).data).all()
    assert (read(bands).valid == read(whole).valid).all()
    assert 0.3 < read(bands).valid.mean() < 1
