"""``wholecloth stats`` as it is typed."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import shapely
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import InputError, StoreError
from tests.quality.stats.stores import NODATA, mask_of, store_of, to_map, write_zones

NO_TORCH = """
import sys
from pipeline.cli import app
app(sys.argv[1:], standalone_mode=False)
assert not {"torch", "dask", "distributed"} & set(sys.modules), sorted(sys.modules)
"""


def test_the_sum_of_pixels_is_the_number_of_valid_pixels(tmp_path: Path) -> None:
    mask = mask_of()
    store_of(tmp_path / "a.zarr", mask)
    done = CliRunner().invoke(app, ["stats", str(tmp_path / "a.zarr"), "--of", "valid", "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0]) == ["scene", "zone", "class", "code", "pixels", "area", "unit", "share", "of"]
    assert sum(float(row["pixels"]) for row in rows) == (mask != NODATA).sum()


def test_zones_and_objects_have_their_columns(tmp_path: Path) -> None:
    level = store_of(tmp_path / "a.zarr", mask_of())
    zones = write_zones(tmp_path / "z.gpkg", to_map(level.grid, [shapely.box(3.5, 3, 90, 80)]), ["north"], "EPSG:32633")
    args = ["stats", str(tmp_path / "a.zarr"), "--zones", zones, "--field", "name", "--objects"]
    done = CliRunner().invoke(app, [*args, "--of", "raster", "--format", "json"])
    rows = json.loads(done.stdout)
    assert {(row["scene"], row["zone"], row["of"]) for row in rows} == {("a", "north", "raster")}
    assert sum(row["pixels"] for row in rows) == pytest.approx(86.5 * 77)
    assert sum(row["objects"] for row in rows) > 0
    assert "north" in CliRunner().invoke(app, args).stdout


@pytest.mark.slow
@pytest.mark.parametrize("zones", [False, True])
def test_neither_torch_nor_dask_is_imported(tmp_path: Path, zones: bool) -> None:
    level = store_of(tmp_path / "a.zarr", mask_of())
    args = ["stats", str(tmp_path / "a.zarr"), "--objects", "--of", "raster"]
    if zones:
        path = write_zones(tmp_path / "z.gpkg", to_map(level.grid, [shapely.box(3, 3, 9, 9)]), ["a"], "EPSG:32633")
        args += ["--zones", path, "--field", "name"]
    done = subprocess.run([sys.executable, "-c", NO_TORCH, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_counted_ends_with_two(tmp_path: Path) -> None:
    store_of(tmp_path / "a.zarr", mask_of(), blocks=[(0, 0)])
    unfinished = CliRunner().invoke(app, ["stats", str(tmp_path / "a.zarr")])
    assert isinstance(unfinished.exception, StoreError)
    assert unfinished.exception.exit_code == 2
    without = CliRunner().invoke(app, ["stats", str(tmp_path / "a.zarr"), "--field", "name"])
    assert isinstance(without.exception, InputError)
    assert "--zones FILE" in str(without.exception)
