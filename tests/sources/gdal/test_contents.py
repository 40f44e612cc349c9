from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile

from pipeline.config import SourceConfig
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
            ["5 frames, by ImageJ", "GDAL does not see"],
        ),
        ((2, 3), {"ome": True, "metadata": {"axes": "CZYX"}}, ["6 pages: 2 channels × 3 planes, by OME-XML"]),
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


def test_the_name_that_is_told_opens_the_next_page(tmp_path: Path) -> None:
    data = stack(3)
    data[1] = 7
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack")
    name = next(word for word in told(tmp_path / "a.tif").split() if word.startswith("GTIFF_DIR:2:"))
    source = open_source(SourceConfig(path=name))
    assert source.grid.height == 40
    assert not source.notes
