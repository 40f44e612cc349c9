"""Files of a mosaic that are open at once: few, priced, and the user's number where there is one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.runtime import resources
from pipeline.runtime.resources import MIB
from pipeline.sources import open_source
from pipeline.sources.gdal.vrt_files import MAX_OPEN_FILES, mosaic_of
from pipeline.sources.raster import RasterSource
from pipeline.sources.wrappers import process_singleton
from tests import scenes

LEAST = 16 + 2 * resources.cores()


@pytest.fixture(autouse=True)
def nothing_open() -> None:
    """GDAL makes its pool anew once no mosaic is open any more."""
    for source in list(process_singleton._by_name.values()):
        if isinstance(source, RasterSource):
            source._handles.close()


def vrt(path: Path, files: list[Path], side: int) -> Path:
    """Files of one band beside each other."""
    parts = "".join(
        f"<SimpleSource><SourceFilename "
        f'relativeToVRT="0">{file}</SourceFilename><SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="{side}" '
        f'ySize="{side}"/><DstRect xOff="{k * side}" yOff="0" xSize="{side}" ySize="{side}"/></SimpleSource>'
        for k, file in enumerate(files)
    )
    path.write_text(
        f'<VRTDataset rasterXSize="{side * len(files)}" rasterYSize="{side}"><VRTRasterBand '
        f'dataType="UInt16" band="1">{parts}</VRTRasterBand></VRTDataset>'
    )
    return path


def tiles(folder: Path, count: int, side: int = 64, block: int = 64) -> list[Path]:
    data = np.arange(side * side, dtype="uint16").reshape(1, side, side)
    said: dict[str, Any] = {"tiled": True, "blockxsize": block, "blockysize": block, "compress": "deflate"}
    return [scenes.write(folder / f"{k}.tif", data + np.uint16(k), **said) for k in range(count)]


def open_files(folder: Path) -> int:
    """Of this process, in a folder."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
    return sum(str(link.readlink()).startswith(str(folder)) for link in links)


def test_a_raster_of_one_file_keeps_no_other_open(tmp_path: Path) -> None:
    path = scenes.scene(tmp_path / "a.tif")
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset/>")
    opened = open_source(SourceConfig(path=str(path)))
    assert (opened.open_files, getattr(opened, "settings")) == (0, ())  # noqa: B009  # of this kind of source


def test_small_blocks_keep_what_gdal_keeps_and_large_ones_what_readers_need(tmp_path: Path) -> None:
    small = mosaic_of([str(tiles(tmp_path, 1)[0])])
    assert (small.files, small.bytes_per_file) == (MAX_OPEN_FILES, 2 * 64 * 64 * 2)
    data = np.zeros((4, 1024, 1024), dtype="uint16")
    large = scenes.write(tmp_path / "large.tif", data, tiled=True, blockxsize=1024, blockysize=1024, interleave="pixel")
    assert mosaic_of([str(large)]).size == LEAST * 16 * MIB
    band_by_band = scenes.write(
        tmp_path / "bands.tif", data, tiled=True, blockxsize=1024, blockysize=1024, interleave="band"
    )
    assert mosaic_of([str(band_by_band)]).bytes_per_file == 4 * MIB
    assert mosaic_of([str(tmp_path / "gone.tif")]).size == 0


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts what /proc says is open")
def test_so_many_files_are_open_and_their_pixels_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = vrt(tmp_path / "a.vrt", tiles(tmp_path, 30), 64)
    monkeypatch.setenv("GDAL_MAX_DATASET_POOL_SIZE", "5")
    opened = pickle.loads(pickle.dumps(open_source(SourceConfig(path=str(path)))))
    assert opened.open_files == 5 * 2 * 64 * 64 * 2
    for k in range(30):
        got = opened.read(Window(row=0, col=64 * k, height=64, width=64))
        assert got.data[0, 0, 0] == k
    assert 1 <= open_files(tmp_path) <= 5 + 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts what /proc says is open")
def test_the_pool_is_ours_where_nobody_says_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sources.gdal.vrt_files.POOL_BYTES", 1)
    opened = open_source(SourceConfig(path=str(vrt(tmp_path / "a.vrt", tiles(tmp_path, LEAST + 20), 64))))
    for k in range(LEAST + 20):
        opened.read(Window(row=0, col=64 * k, height=64, width=64))
    assert LEAST - 2 <= open_files(tmp_path) <= LEAST + 1
    with rasterio.open(tmp_path / "0.tif") as plain:
        assert plain.count == 1
