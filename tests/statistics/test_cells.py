"""The lattice of cells covers a raster once, whatever blocks its file has."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.statistics import cells
from pipeline.statistics.cells import CellLattice


@pytest.mark.parametrize("block", [(64, 64), (1, 210), (3, 210), (131, 210), (500, 500), (7, 13)], ids=str)
def test_strips_of_all_cells_cover_every_pixel_once(monkeypatch: pytest.MonkeyPatch, block: tuple[int, int]) -> None:
    for name, value in {"CELL_PX": 2000, "CELL_SIDE": 50, "READ_PX": 300, "BLOCK_ROW_BYTES": 40000}.items():
        monkeypatch.setattr(cells, name, value)
    lattice, seen = CellLattice.of_raster(131, 210, block, 6), np.zeros((131, 210), int)
    for index in range(lattice.count):
        for strip in lattice.strips(index):
            seen[strip.slices] += 1
    assert (seen == 1).all()


def test_cells_of_a_tiled_raster_are_whole_blocks_and_those_of_a_striped_one_whole_rows() -> None:
    tiled = CellLattice.of_raster(100_000, 100_000, (512, 512), 8)
    assert (tiled.cols % 512, tiled.rows % 512, tiled.strip % 512) == (0, 0, 0)
    assert tiled.cols * tiled.rows == cells.CELL_PX
    striped = CellLattice.of_raster(100_000, 100_000, (1, 100_000), 8)
    assert striped.cols == 100_000
    assert striped.strip_px <= cells.READ_PX


def test_strips_of_many_bands_are_narrow() -> None:
    lattice = CellLattice.of_raster(100_000, 100_000, (512, 512), 200 * 4)
    assert lattice.strip_px * 200 * 4 <= cells.BLOCK_ROW_BYTES
