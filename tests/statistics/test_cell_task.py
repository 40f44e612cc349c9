"""Rasters that are counted cell by cell, in any order and by any engine, have the numbers of numpy on the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import SourceConfig
from pipeline.engines import KINDS as ENGINES
from pipeline.sources import open_source
from pipeline.statistics import cells
from pipeline.statistics.band_statistics import BandStatistics, Measure, measure_bands
from pipeline.statistics.cell_task import CellPixels, CellTask
from pipeline.statistics.cells import CellLattice
from pipeline.statistics.counting import Counting, PlaneCounts
from pipeline.statistics.records import CellRecords
from tests.statistics.rasters import valid_values, write_raster

TILED = {"tiled": True, "blockxsize": 64, "blockysize": 64}


@pytest.fixture(autouse=True)
def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CELL_PX": 2**14, "CELL_SIDE": 128, "READ_PX": 2**12}.items():
        monkeypatch.setattr(cells, name, value)


def measured(folder: Path, engine: str, method: str, **more: Any) -> BandStatistics:
    """The numbers of the scene in a folder, by records in a folder of the engine."""
    source = open_source(SourceConfig(path=str(folder / "scene.tif")))
    measure = Measure(method=method, bands=3, dtype=str(source.dtype), **more)
    lattice = CellLattice.of_raster(203, 331, source.block, 3 * source.dtype.itemsize)
    pixels = CellPixels(source=source, lattice=lattice, retries=0, joint=measure.joint)

    def count(counting: Counting) -> PlaneCounts:
        records, counts = CellRecords(folder=folder / engine / method, counting=counting), counting.empty()
        with ENGINES[engine](3) as run:
            outcomes = list(run(CellTask(pixels=pixels, records=records), reversed(range(lattice.count))))
        assert [outcome.error for outcome in outcomes] == [None] * lattice.count
        for index in range(lattice.count):
            counting.merge(counts, records.read(index) or pytest.fail("a cell has no record"))
        return counts

    return measure_bands(measure, count)


@pytest.mark.parametrize(
    ("dtype", "profile"),
    [
        ("uint8", TILED),
        ("uint16", {"compress": "deflate"}),
        ("int16", {"tiled": True, "blockxsize": 128, "blockysize": 16}),
        ("float32", TILED),
    ],
)
def test_numbers_are_those_of_numpy_on_the_whole(tmp_path: Path, dtype: str, profile: dict[str, Any]) -> None:
    values = valid_values(write_raster(tmp_path, dtype, **profile))
    each = measured(tmp_path, "serial", "percentile", percents=(1, 99.5))
    assert each.pixels == values.shape[1]
    assert np.transpose(each.pairs).tolist() == np.percentile(values, (1, 99.5), axis=1).tolist()
    extremes = measured(tmp_path, "serial", "minmax")
    assert np.transpose(extremes.pairs).tolist() == [values.min(1).tolist(), values.max(1).tolist()]
    moments = measured(tmp_path, "serial", "standardise")
    np.testing.assert_allclose(np.transpose(moments.pairs), [values.mean(1), values.std(1)], rtol=1e-12)


def test_numbers_of_all_bands_together_are_those_of_numpy(tmp_path: Path) -> None:
    values = valid_values(write_raster(tmp_path, "int16"))
    joint = measured(tmp_path, "serial", "percentile", percents=(1, 99.5), joint=True)
    assert set(joint.pairs) == {tuple(np.percentile(values, (1, 99.5)))}
    assert joint.pixels == values.shape[1]


@pytest.mark.slow
def test_numbers_are_the_same_to_the_last_bit_whatever_the_engine(tmp_path: Path) -> None:
    write_raster(tmp_path, "float32", **TILED)
    for method in ("percentile", "standardise"):
        assert measured(tmp_path, "threads", method) == measured(tmp_path, "serial", method)
