from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from pipeline.config import SourceConfig
from pipeline.errors import ReadError, SourceError
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from pipeline.sources.gdal.handles import tile_table_bytes
from tests import scenes


def source(path: Path, **said: Any) -> Any:
    return open_source(SourceConfig(path=str(path), **said))


def everything(path: Path, **said: Any) -> Any:
    opened = source(path, **said)
    return opened.read(Window(row=0, col=0, height=opened.grid.height, width=opened.grid.width))


def test_every_window_holds_the_pixels_of_its_place(tmp_path: Path) -> None:
    data = scenes.position(200, 150)
    opened = source(scenes.write(tmp_path / "a.tif", data, tiled=True, blockxsize=64, blockysize=64))
    rng = np.random.default_rng(0)
    for _ in range(40):
        row, col, height, width = (
            int(v) for v in (rng.integers(-30, 210), rng.integers(-30, 160), rng.integers(1, 90), rng.integers(1, 90))
        )
        got = opened.read(Window(row=row, col=col, height=height, width=width))
        rows, cols = np.mgrid[row : row + height, col : col + width]
        inside = (rows >= 0) & (rows < 200) & (cols >= 0) & (cols < 150)
        assert (got.valid == inside).all()
        assert (got.data[:, inside] == data[:, rows[inside], cols[inside]]).all()


def test_many_threads_read_what_one_reads(tmp_path: Path) -> None:
    data = scenes.position(300, 300)
    opened = source(
        scenes.write(tmp_path / "a.tif", data, tiled=True, blockxsize=32, blockysize=32, compress="deflate")
    )
    windows = [Window(row=r, col=c, height=60, width=60) for r in range(0, 300, 60) for c in range(0, 300, 60)] * 8
    with ThreadPoolExecutor(8) as pool:
        for window, got in zip(windows, pool.map(opened.read, windows), strict=True):
            assert (got.data == data[(slice(None), *window.slices)]).all()


def test_threads_share_one_handle_where_its_table_of_tiles_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = scenes.position(320, 320)
    path = scenes.write(tmp_path / "a.tif", data, tiled=True, blockxsize=32, blockysize=32, compress="deflate")
    window, start = Window(row=10, col=20, height=200, width=90), threading.Barrier(6)

    def handle_of_thread(opened: Any) -> int:
        start.wait(timeout=20)
        got = opened.read(window)
        assert (got.data == data[(slice(None), *window.slices)]).all()
        return id(opened.dataset)

    for limit, count in ((10 * 10 * 16, 1), (10 * 10 * 16 + 1, 6)):
        monkeypatch.setattr("pipeline.sources.gdal.handles.SHARED_FROM_BYTES", limit)
        monkeypatch.setattr("pipeline.sources.raster.SHARED_FROM_BYTES", limit)
        opened = source(path)
        assert opened.open_files == (10 * 10 * 16 if count == 1 else 0)
        with ThreadPoolExecutor(6) as pool:
            threads = [pool.submit(handle_of_thread, opened) for _ in range(6)]
            assert len({thread.result() for thread in threads}) == count


def test_a_shared_handle_whose_read_failed_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sources.gdal.handles.SHARED_FROM_BYTES", 1)
    data = scenes.position(64, 64)
    opened = source(scenes.write(tmp_path / "a.tif", data, tiled=True, blockxsize=32, blockysize=32))
    before = opened.dataset
    assert opened.dataset is before
    before.close()
    with pytest.raises(ReadError):
        opened.read(Window(row=0, col=0, height=64, width=64))
    assert (opened.read(Window(row=0, col=0, height=64, width=64)).data == data).all()


def test_tables_are_counted_for_each_band_where_bands_lie_apart(tmp_path: Path) -> None:
    data, tiles = scenes.position(64, 96), {"tiled": True, "blockxsize": 32, "blockysize": 32}
    for interleave, planes in (("pixel", 1), ("band", len(data))):
        with rasterio.open(scenes.write(tmp_path / f"{interleave}.tif", data, interleave=interleave, **tiles)) as file:
            assert tile_table_bytes(file) == 2 * 3 * planes * 16
    with rasterio.open(scenes.write(tmp_path / "a.png", data.astype(np.uint8)[:3], driver="PNG")) as file:
        assert tile_table_bytes(file) == 0


def test_it_pickles_as_a_spec(tmp_path: Path) -> None:
    opened = source(scenes.write(tmp_path / "a.tif", scenes.position(40, 40)), bands=[2])
    window = Window(row=3, col=4, height=5, width=6)
    opened.read(window)
    again = pickle.loads(pickle.dumps(opened))
    assert (again.read(window).data == opened.read(window).data).all()
    assert again.identity() == opened.identity()


def test_bands_are_read_in_the_order_asked_for(tmp_path: Path) -> None:
    data = scenes.position(20, 20)
    assert (everything(scenes.write(tmp_path / "a.tif", data), bands=[3, 1]).data == data[[2, 0]]).all()


@pytest.mark.parametrize(
    ("rule", "expected"), [("all", [True, True, False, True]), ("any", [False, False, False, True])]
)
def test_nodata_in_all_bands_or_in_any(tmp_path: Path, rule: str, expected: list[bool]) -> None:
    data = np.array([[[0, 5, 0, 5]], [[5, 0, 0, 5]]], dtype="uint8")
    assert everything(scenes.write(tmp_path / "a.tif", data, nodata=0), nodata_rule=rule).valid.tolist() == [expected]


def test_nodata_may_be_given_or_switched_off(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "a.tif", np.array([[[0, 5, 9]]], dtype="uint8"), nodata=0)
    assert everything(path, nodata=9).valid.tolist() == [[True, True, False]]
    assert everything(path, nodata=None).valid.tolist() == [[True, True, True]]
    assert everything(path, nodata=-9999).valid.tolist() == [[True, True, True]]


def test_nan_and_infinity_in_any_band_are_invalid_whatever_the_rule(tmp_path: Path) -> None:
    data = np.array([[[np.nan, 1, 1]], [[1, np.inf, 1]]], dtype="float32")
    for nodata in ("auto", None):
        assert everything(
            scenes.write(tmp_path / "a.tif", data, nodata=float("nan")), nodata=nodata
        ).valid.tolist() == [[False, False, True]]


def test_float_nodata_is_compared_in_the_bands_own_dtype(tmp_path: Path) -> None:
    data = np.array([[[-3.4e38, 0.1, 1]]], dtype="float32")
    assert everything(scenes.write(tmp_path / "a.tif", data, nodata=-3.4e38)).valid.tolist() == [[False, True, True]]


def test_alpha_is_a_mask_and_no_band(tmp_path: Path) -> None:
    data = np.full((4, 2, 2), 7, dtype="uint8")
    data[3] = [[0, 255], [255, 0]]
    path = tmp_path / "a.tif"
    with rasterio.open(path, "w", driver="GTiff", count=4, height=2, width=2, dtype="uint8") as out:
        out.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        out.write(data)
    got = everything(path)
    assert got.data.shape[0] == 3
    assert got.valid.tolist() == [[False, True], [True, False]]


def test_a_mask_beside_the_file_is_honoured(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "a.tif", np.full((1, 2, 2), 7, dtype="uint8"))
    with rasterio.open(path, "r+") as out:
        out.write_mask(np.array([[True, False], [True, True]]))
    assert everything(path).valid.tolist() == [[True, False], [True, True]]


def test_scale_tags_apply_only_on_request(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "a.tif", np.array([[[10, 20]], [[1, 2]]], dtype="int16"))
    with rasterio.open(path, "r+") as out:
        out.scales, out.offsets = (0.1, 2.0), (5.0, -1.0)
    assert everything(path).data.dtype == np.int16
    assert np.allclose(everything(path, scale_tags=True).data, [[[6, 7]], [[1, 3]]])


def test_georeferences_are_kept_whatever_they_are(tmp_path: Path) -> None:
    data, rotated = scenes.position(5, 6), Affine(8, 3, 100, 2, -9, 200)
    assert source(scenes.write(tmp_path / "a.tif", data, transform=rotated)).grid.transform == tuple(rotated)[:6]
    custom = "+proj=aea +lat_0=23 +lon_0=-96.5 +lat_1=29.7 +lat_2=45.1 +datum=NAD83 +units=m"
    grid = source(scenes.write(tmp_path / "b.tif", data, crs=custom)).grid
    assert (grid.code, "Albers" in str(grid.wkt)) == (None, True)
    assert source(scenes.write(tmp_path / "c.tif", data, crs="EPSG:4326")).grid.code == "EPSG:4326"
    assert source(scenes.write(tmp_path / "d.tif", data, crs=None)).grid.wkt is None


def test_ground_control_points_alone_are_no_georeference(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    points = [GroundControlPoint(row=r, col=c, x=10 + c, y=50 - r) for r, c in ((0, 0), (0, 5), (4, 0))]
    with rasterio.open(path, "w", driver="GTiff", count=1, height=5, width=6, dtype="uint8") as out:
        out.gcps = (points, rasterio.CRS.from_epsg(4326))
        out.write(np.ones((1, 5, 6), dtype="uint8"))
    grid = source(path).grid
    assert (grid.wkt, grid.transform, grid.unit) == (None, (1, 0, 0, 0, 1, 0), "px")
    assert everything(path).valid.all()


def test_png_and_jpeg_are_rasters(tmp_path: Path) -> None:
    data = scenes.position(30, 20).astype("uint8")
    assert (
        everything(scenes.write(tmp_path / "a.png", data, driver="PNG", crs=None, transform=Affine.identity())).data
        == data
    ).all()


@pytest.mark.parametrize(
    ("said", "words"),
    [({"bands": [1, 9]}, "band 9.*3 bands"), ({"path": "gone.tif"}, "gone.tif, which does not exist")],
)
def test_what_is_not_there_is_named(tmp_path: Path, said: dict[str, Any], words: str) -> None:
    path = scenes.write(tmp_path / "a.tif", scenes.position(5, 5))
    with pytest.raises(SourceError, match=words):
        open_source(SourceConfig(**{"path": str(path), **said}))


def test_what_is_no_raster_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("not a raster")
    with pytest.raises(SourceError, match=r"text\.tif, which cannot be opened as a raster"):
        source(tmp_path / "text.tif")


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="complex"):
        source(scenes.write(tmp_path / "a.tif", np.ones((1, 4, 4), dtype="complex64")))


def test_damage_is_an_error_of_its_window_only(tmp_path: Path) -> None:
    path = scenes.scene(tmp_path / "a.tif")
    with rasterio.open(path) as opened:
        start = int(opened.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\0" * 2000)
    opened = source(path)
    with pytest.raises(ReadError, match="rows 64–127, cols 64–127"):
        opened.read(Window(row=64, col=64, height=64, width=64))
    assert opened.read(Window(row=0, col=256, height=64, width=64)).valid.any()


def test_another_file_under_the_same_name_is_another_source_and_sidecars_of_viewers_are_not(tmp_path: Path) -> None:
    path = scenes.scene(tmp_path / "a.tif")
    before = source(path).identity()
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset/>")
    assert source(path).identity() == before
    scenes.scene(path, seed=9)
    assert source(path).identity() != before


def test_a_raster_behind_http_is_read_and_its_identity_is_the_servers_word(tmp_path: Path) -> None:
    data = scenes.position(60, 50)
    scenes.write(tmp_path / "a.tif", data, tiled=True, blockxsize=16, blockysize=16)
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split(" port ")[1].split()[0]
            opened = open_source(SourceConfig(path=f"http://127.0.0.1:{port}/a.tif"))
            got = opened.read(Window(row=5, col=7, height=20, width=30))
            identity = opened.identity()
        finally:
            server.kill()
    assert (got.data == data[:, 5:25, 7:37]).all()
    assert identity["size"] == str((tmp_path / "a.tif").stat().st_size)
    assert "modified" in identity
