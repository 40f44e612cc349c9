from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.geometry.window import Window
from pipeline.store import overviews
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.reader import open_store
from tests.store import specs


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("grid", specs.GRIDS)
def test_a_store_says_at_every_level_what_it_was_made_from(tmp_path: Path, grid: str, zarr_format: int) -> None:
    path, of = tmp_path / "a.zarr", specs.spec(grid, zarr_format=zarr_format, nodata=200)
    create(path, of, {"blocks": [2, 3], "tiles": {"block": 50}, "classes": [asdict(row) for row in of.classes]})
    for level in range(of.levels):
        opened = open_store(path, level)
        assert opened.grid == of.grid.level(level)
        assert (opened.classes, opened.nodata, opened.chunk) == (of.classes, 200, 32)
        assert (opened.block, opened.blocks) == ((1024, 1) if level else (50, 6))
    with pytest.raises(StoreError, match=f"no level {of.levels}; it has 0 to {of.levels - 1}"):
        open_store(path, of.levels)


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a store of ours"):
        open_store(tmp_path)


def test_windows_are_read_and_are_nodata_beyond_the_raster(tmp_path: Path) -> None:
    path, of = tmp_path / "a.zarr", specs.spec()
    create(path, of, {"blocks": [1, 1], "tiles": {"block": 128}, "classes": [asdict(row) for row in of.classes]})
    open_layer(path, 0, "mask")[:] = specs.pixels(of)
    padded = np.pad(specs.pixels(of), 50, constant_values=of.nodata)
    for row, col in ((-7, -9), (40, 60), (90, 120), (-40, 10)):
        got = open_store(path).read(Window(row=row, col=col, height=30, width=40))
        assert (got == padded[row + 50 : row + 80, col + 50 : col + 90]).all()


def test_what_is_committed_is_known_pixel_by_pixel(tmp_path: Path) -> None:
    path, of = tmp_path / "a.zarr", specs.spec()
    create(path, of, {"blocks": [4, 5], "tiles": {"block": 32}, "classes": [asdict(row) for row in of.classes]})
    expected = np.zeros((100, 130), bool)
    for row, col in ((0, 0), (1, 3), (3, 4), (2, 1)):
        Ledger(path).commit((row, col), {"chunks": {}})
        expected[32 * row : 32 * row + 32, 32 * col : 32 * col + 32] = True
    opened = open_store(path)
    assert opened.committed_blocks() == 4
    for row, col in ((-7, -9), (40, 60), (90, 120), (0, 0), (17, 33)):
        got = opened.committed(Window(row=row, col=col, height=45, width=70))
        rows, cols = np.mgrid[row : row + 45, col : col + 70]
        inside = (rows >= 0) & (rows < 100) & (cols >= 0) & (cols < 130)
        assert (got[inside] == expected[rows[inside], cols[inside]]).all()


def test_overviews_have_blocks_of_their_own(tmp_path: Path) -> None:
    path, of = tmp_path / "a.zarr", specs.spec()
    create(path, of, {"blocks": [1, 1], "tiles": {"block": 128}, "classes": [asdict(row) for row in of.classes]})
    assert open_store(path, 1).committed_blocks() == 0
    overviews.build_overviews(path, of)
    assert open_store(path, 1).committed_blocks() == open_store(path, 1).blocks == 1
