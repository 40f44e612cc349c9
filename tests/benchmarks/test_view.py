"""The benchmark of tiles in its small form, and the rasters that it makes in little room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from benchmarks.view_files import linked_store, shared_tiff
from pipeline.geometry.grid import Grid
from pipeline.store.lifecycle import open_layer
from pipeline.store.status import overviews
from tests.viewer.client import open_page, tile

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("tile_px", "reductions"), [(64, [2, 4, 8]), (None, [])])
def test_a_tiff_of_few_tiles_is_a_whole_raster_of_noise(
    tmp_path: Path, tile_px: int | None, reductions: list[int]
) -> None:
    with rasterio.open(shared_tiff(tmp_path / "a.tif", 300, tile_px)) as dataset:
        assert dataset.shape == (300, 300)
        assert dataset.overviews(1) == reductions
        assert dataset.block_shapes == [(64, 64) if tile_px else (1, 300)]
        pixels = dataset.read(1)
    assert 120 < pixels.mean() < 135
    assert not np.array_equal(pixels[:64, :64], pixels[:64, 64:128])


def test_a_store_of_few_chunks_is_a_whole_store_of_noise(tmp_path: Path) -> None:
    path, chunks = linked_store(tmp_path / "a.zarr", Grid(height=1100, width=1300), tmp_path / "nowhere.tif")
    assert len(chunks) == 64
    mask = np.asarray(open_layer(path, 0, "mask")[:])
    assert set(np.unique(mask)) == {0, 1, 2, 3, 4}
    assert not np.array_equal(mask[:512, :512], mask[:512, 512:1024])
    assert overviews(path)[1] > 0
    assert (tile(open_page(path), "/tiles/mask/1/0/0.png")[..., 3] == 255).all()


@pytest.mark.nightly("scale")
def test_the_small_form_runs(tmp_path: Path) -> None:
    words = ["-m", "benchmarks.view", str(tmp_path / "bench"), "--side", "1100", "--requests", "3"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *words], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    rows = done.stdout.splitlines()
    assert len(rows) == 2 + 5
    assert all(int(cell) > 0 for row in rows[2:] for cell in row.split("|")[3:5])
