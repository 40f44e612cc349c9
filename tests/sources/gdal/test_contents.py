from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from pipeline.sources.gdal.contents import left_out


def told(path: Path | str) -> str:
    with rasterio.open(path) as dataset:
        return "; ".join(left_out(dataset))


def stack(*shape: int) -> np.ndarray:
    return np.zeros((*shape, 40, 50), "uint16")


@pytest.mark.parametrize(
    ("shape", "said", "words"),
    [
        ((6,), {"photometric": "minisblack"}, ["6 pages", "only the first is read"]),
        ((2,), {"imagej": True, "metadata": {"axes": "CYX"}}, ["2 pages: 2 channels, by ImageJ"]),
        ((3, 2), {"imagej": True, "metadata": {"axes": "ZCYX"}}, ["6 pages: 2 channels × 3 slices, by ImageJ"]),
        (
            (5,),
            {"imagej": True, "truncate": True, "metadata": {"axes": "TYX"}},
            ["5 frames, by ImageJ", "GDAL does not see", "source.select chooses, such as {time: 0}"],
        ),
        (
            (2, 3),
            {"ome": True, "metadata": {"axes": "CZYX"}},
            ["6 pages: 2 channels × 3 planes, by OME-XML", "such as {channel: 0, z: max}"],
        ),
    ],
)
def test_pages_and_planes_that_are_not_read_are_told_with_their_number(
    tmp_path: Path, shape: tuple[int, ...], said: dict[str, Any], words: list[str]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stack(*shape), **said)
    assert all(word in told(tmp_path / "a.tif") for word in words)


def test_pages_of_another_size_are_told_apart(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        for side in (64, 32, 16):
            out.write(np.zeros((side, side), "uint8"), photometric="minisblack")
    assert "3 pages (1 of them of its size)" in told(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "said", [{}, {"ome": True, "metadata": {"axes": "YXS"}, "photometric": "rgb"}, {"imagej": True}]
)
def test_nothing_is_told_of_a_file_that_is_read_whole(tmp_path: Path, said: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 50, 3) if "photometric" in said else (40, 50), "uint8"), **said)
    assert not told(tmp_path / "a.tif")


def test_what_is_told_to_select_is_read(tmp_path: Path) -> None:
    data = stack(3)
    data[1] = 7
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack")
    assert "source.select: {page: 1} reads the next" in told(tmp_path / "a.tif")
    source = open_source(SourceConfig(path=str(tmp_path / "a.tif"), select={"page": 1}))
    assert (source.read(Window(row=0, col=0, height=40, width=50)).data == 7).all()
    assert source.notes == ("its page is 1 of 0 to 2",)


def test_nothing_is_told_of_a_page_that_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stack(3), imagej=True)
    assert not told(f"GTIFF_DIR:1:{tmp_path}/a.tif")
