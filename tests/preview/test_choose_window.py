from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from pipeline.config import SourceConfig
from pipeline.errors import ConfigError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.preview import choose_window
from pipeline.preview.choose_window import most_varied, window_at, window_at_pixel
from pipeline.preview.variety import overview_variety
from pipeline.sources import open_source
from pipeline.sources.band_tags import read_band_tags
from pipeline.sources.overview import Overview, read_overview
from tests import scenes

SIDE = 64


def raster(path: Path, row: int, col: int, levels: tuple[int, ...] = (), **profile: object) -> Path:
    """Flat, but for noise in a square of 64 px, and a stripe of nodata that is varied at its edge only."""
    data = np.full((2, 640, 768), 100, np.uint16)
    data[:, row : row + SIDE, col : col + SIDE] += np.random.default_rng(0).integers(0, 90, (2, SIDE, SIDE), np.uint16)
    data[:, :, :40] = 0
    scenes.write(path, data, nodata=0, tiled=True, blockxsize=64, blockysize=64, **profile)
    if levels:
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews(levels, Resampling.nearest)
    return path


def opened(path: Path, **more: object) -> object:
    return open_source(SourceConfig(path=str(path), **more))


def test_the_most_varied_window_is_seen_on_an_overview(tmp_path: Path) -> None:
    chosen = most_varied(opened(raster(tmp_path / "a.tif", 320, 448, (2, 4, 8))), None, SIDE)
    assert abs(chosen.window.row - 320) < SIDE > abs(chosen.window.col - 448)
    assert chosen.reason == "the most varied on the raster's overview 1:8"


def test_without_overviews_it_is_the_most_varied_of_sixteen_places(tmp_path: Path) -> None:
    rows = [640 * (2 * k + 1) // 8 - 32 for k in range(4)]
    cols = [768 * (2 * k + 1) // 8 - 32 for k in range(4)]
    chosen = most_varied(opened(raster(tmp_path / "a.tif", rows[3], cols[1])), None, SIDE)
    assert (chosen.window.row, chosen.window.col) == (rows[3], cols[1])
    assert chosen.reason.startswith("the raster has no overviews of use: the most varied of 16 fixed places, ")


def test_reading_ends_where_it_would_decode_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened(raster(tmp_path / "a.tif", 64, 64))
    two = 2 * 2 * 128 * 64  # each place lies on two of the file's blocks
    monkeypatch.setattr(choose_window, "MAX_DECODED", 5 * two + 1)
    assert "the most varied of 5 fixed places, 160 KiB decoded" in most_varied(source, None, SIDE).reason
    monkeypatch.setattr(choose_window, "MAX_DECODED", two - 1)
    assert "a look at one place decodes more than" in most_varied(source, None, SIDE).reason


def test_a_raster_no_larger_than_the_window_is_taken_whole(tmp_path: Path) -> None:
    chosen = most_varied(opened(scenes.scene(tmp_path / "a.tif")), None, 512)
    assert (chosen.window, chosen.reason) == (Window(row=0, col=0, height=300, width=420), "all of the raster")


def test_variety_is_that_of_each_window_by_hand() -> None:
    rng = np.random.default_rng(1)
    data, valid = rng.normal(size=(1, 9, 11)).astype(np.float32), rng.random((9, 11)) > 0.3
    of = Overview(data=data, valid=valid, step=4)
    made = overview_variety(of, 3, 4)
    low, high = np.percentile(data[0][valid], (0.1, 99.9))
    clipped = np.clip(data[0].astype(float), low, high)
    clipped /= clipped[valid].std()
    expected = np.zeros((7, 8))
    for row, col in np.ndindex(7, 8):
        part = np.s_[row : row + 3, col : col + 4]
        expected[row, col] = clipped[part][valid[part]].std() * valid[part].mean() if valid[part].any() else 0
    assert np.allclose(made, expected)


def test_overviews_that_are_too_coarse_or_too_large_are_not_used(tmp_path: Path) -> None:
    source = opened(raster(tmp_path / "a.tif", 64, 64, (2, 4, 8)))
    assert [read_overview(source, step).step for step in (1, 2, 5, 100)] == [2, 2, 4, 8]
    size = 2 * 4 * (640 // 4) * (768 // 4)
    assert read_overview(source, 2, size).step == 4
    assert read_overview(source, 2, 100) is None
    assert not read_overview(opened(raster(tmp_path / "b.tif", 64, 64)), 8)


@pytest.mark.parametrize(("nodata", "share"), [("auto", 728 / 768), (None, 1.0), (100, 40 / 768)])
def test_an_overview_knows_invalid_pixels(tmp_path: Path, nodata: object, share: float) -> None:
    flat = np.full((2, 640, 768), 100, np.uint16)
    flat[:, :, :40] = 0
    path = scenes.write(tmp_path / "a.tif", flat, nodata=0)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews((4,), Resampling.nearest)
    overview = read_overview(opened(path, nodata=nodata), 4)
    assert overview is not None
    assert overview.valid.mean() == pytest.approx(share)


def test_a_point_is_that_of_the_raster_also_where_it_is_turned() -> None:
    grid = Grid(height=100, width=200, transform=(0.0, 2.0, 10.0, 3.0, 0.0, 20.0))
    assert window_at(grid, 10 + 2 * 50.5, 20 + 3 * 80.5, 20).window == Window(row=40, col=70, height=20, width=20)
    with pytest.raises(ConfigError, match=r"Give x from 10 to 210 and y from 20 to 620, in px"):
        window_at(grid, 9, 30, 20)
    assert window_at_pixel(grid, 0, 199, 64).window == Window(row=0, col=136, height=64, width=64)
    assert window_at_pixel(replace(grid, height=10), 5, 5, 64).window == Window(row=0, col=0, height=10, width=64)


def test_bands_that_are_called_red_green_and_blue_are_shown_so(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "a.tif", scenes.position(64, 64, 4))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("Blue", "nir", "Green", "Red")
    tags = read_band_tags(opened(path))
    assert (tags.names, tags.rgb) == (("Blue", "nir", "Green", "Red"), (3, 2, 0))
    assert read_band_tags(opened(path, bands=[4, 3])).rgb == ()
