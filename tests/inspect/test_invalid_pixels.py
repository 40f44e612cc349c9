from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.config import SourceConfig
from pipeline.inspect.invalid_pixels import invalid
from pipeline.sources import open_source
from tests import scenes


def test_the_share_of_each_cause_is_told(tmp_path: Path) -> None:
    data = np.ones((1, 100, 200), "float32")
    data[0, :25], data[0, 30:40] = 7, np.nan
    path = scenes.write(tmp_path / "a.tif", data, nodata=7)
    seen = invalid(open_source(SourceConfig(path=str(path))))
    assert (seen.pixels, seen.counts) == (20000, {"nodata": 5000, "NaN or infinity": 2000})
    assert str(seen) == "35.00% of 20,000 px that were looked at: 25.00% nodata, 10.00% NaN or infinity"


def test_of_a_raster_that_is_all_known_it_is_told_as_well(tmp_path: Path) -> None:
    seen = invalid(open_source(SourceConfig(path=str(scenes.write(tmp_path / "a.tif", np.ones((1, 10, 10), "uint8"))))))
    assert str(seen) == "0.00% of 100 px that were looked at"


def test_windows_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "a.tif", np.ones((1, 40, 50), "uint8"), blockysize=40, compress="deflate")
    data = bytearray(path.read_bytes())
    where = next(k for k in range(len(data)) if data[k : k + 2] == b"\x78\x9c" or data[k : k + 2] == b"\x78\xda")
    data[where : where + 8] = b"\xff" * 8
    path.write_bytes(data)
    assert (
        str(invalid(open_source(SourceConfig(path=str(path)))))
        == "1 of 1 windows that were to be looked at cannot be read"
    )
