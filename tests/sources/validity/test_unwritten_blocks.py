from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from tests.sources.validity.test_validity import everything, notes

TILE = np.full((16, 16, 3), 200, "uint8")


def sparse(path: Path, written: list[int], count: int = 12, **said: Any) -> Path:
    tifffile.imwrite(
        path,
        (TILE if k in written else None for k in range(count)),
        shape=(48, 64, 3),
        dtype="uint8",
        tile=(16, 16),
        photometric="rgb",
        compression="zlib",
        **said,
    )
    return path


def test_blocks_that_were_never_written_are_nodata_and_their_share_is_told(tmp_path: Path) -> None:
    path = sparse(tmp_path / "a.tif", [0, 5, 6])
    want = np.zeros((48, 64), bool)
    want[:16, :16] = want[16:32, 16:48] = True
    assert (everything(path).valid == want).all()
    assert everything(path, nodata=None).valid.all()
    assert (everything(path, nodata=7, bands=[2]).valid == want).all()
    assert "75.0% of its blocks were never written" in notes(path)
    assert "never written" not in notes(path, nodata=None)


def test_a_window_within_blocks_is_cut_where_they_end(tmp_path: Path) -> None:
    got = (
        open_source(SourceConfig(path=str(sparse(tmp_path / "a.tif", [0, 5]))))
        .read(Window(row=13, col=10, height=8, width=30))
        .valid
    )
    want = np.zeros((8, 30), bool)
    want[:3, :6] = want[3:, 6:22] = True
    assert (got == want).all()


@pytest.mark.parametrize(
    "said",
    [
        {"photometric": "minisblack"},
        {"photometric": "minisblack", "rowsperstrip": 1},
        {"photometric": "minisblack", "compression": "zlib"},
        {"photometric": "rgb", "planarconfig": "separate"},
    ],
)
def test_a_file_that_is_all_there_is_all_valid_however_its_strips_are_read(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    shape = (3, 3000, 4000) if "planarconfig" in said else (3000, 4000)
    tifffile.imwrite(tmp_path / "a.tif", np.ones(shape, "uint8"), **said)
    assert everything(tmp_path / "a.tif").valid.all()
    assert not notes(tmp_path / "a.tif")
