"""Counts, areas and densities of a slide, per mm² of its tissue."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.measure import label
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config import SourceConfig
from pipeline.errors import InputError, StoreError
from pipeline.geometry.window import Window
from pipeline.quality.stats.stats import store_stats
from pipeline.quality.stats.table import format_rows
from pipeline.quality.stats.units import for_people, in_unit
from pipeline.sources.only import areas_on_grid
from pipeline.store.reader import StoreLevel
from tests.quality.stats.stores import CLASSES, NODATA, grid_of, mask_of, store_of

PIXEL_UM2 = 0.25 * 0.5
TISSUE = np.zeros((150, 170), dtype=bool)
TISSUE[10:140, 20:160] = True
MASK = np.where(TISSUE, mask_of(), NODATA).astype(np.uint8)


def slide(folder: Path, **more: Any) -> StoreLevel:
    """A store whose job named its tissue by a picture; some of its tissue has no class."""
    picture = folder / "tissue.png"
    Image.fromarray(TISSUE.astype(np.uint8) * 255).save(picture)
    source = SourceConfig(path="s.svs", only=str(picture))
    digest = areas_on_grid(source, grid_of("um", 150, 170), None).identity()["only"]
    config = {"source": source.model_dump(mode="json")}
    return store_of(folder / "a.zarr", MASK, "um", fingerprint={"source.only": digest}, config=config, **more)


def test_shares_and_densities_are_of_tissue_to_the_pixel(tmp_path: Path) -> None:
    rows = in_unit(store_stats(slide(tmp_path), of="tissue", objects=True), "mm2")
    tissue_mm2 = TISSUE.sum() * PIXEL_UM2 / 1e6
    for row in rows:
        counted = TISSUE & (row.code == MASK)
        assert row.pixels == counted.sum()
        assert row.area == counted.sum() * PIXEL_UM2 / 1e6
        assert row.share == counted.sum() / TISSUE.sum()
        assert (row.of, row.unit) == ("tissue", "mm2")
        if row.code != NODATA:
            assert row.objects == label(counted, connectivity=1).max()
            assert row.density == pytest.approx(row.objects / tissue_mm2, rel=1e-12)
    assert [row.class_name for row in rows] == [*(row.name for row in CLASSES), "nodata"]


def invoke(*args: object) -> str:
    done = CliRunner().invoke(app, ["stats", *map(str, args)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_table_of_a_slide_is_in_mm2_and_names_its_denominator(tmp_path: Path) -> None:
    level = slide(tmp_path)
    lines = invoke(level.path, "--objects").splitlines()
    wood = next(line for line in lines if " wood " in line).split()
    count = (MASK == 7).sum()
    assert wood[5:9] == [f"{count * PIXEL_UM2:,.2f}", "um2", f"{100 * count / TISSUE.sum():.2f}", "%"]
    assert float(wood[-1]) == pytest.approx(int(wood[-2]) / (TISSUE.sum() * PIXEL_UM2 / 1e6), rel=1e-3)
    assert lines[-1] == "share is of tissue, as source.only has it, density is objects per mm² of it"
    assert invoke(level.path, "--of", "valid").splitlines()[-1] == "share is of pixels with a class"
    large = [replace(row, area=12_345.678e6) for row in store_stats(level)]
    assert " 12,345.6780  mm2 " in format_rows(for_people(large), "table", False)
    plain = store_of(tmp_path / "plain.zarr", MASK, "um", fingerprint={}, config={"source": {}})
    assert invoke(plain.path).splitlines()[-1].endswith("the job has no source.only, which would name tissue")
    with pytest.raises(StoreError, match="nothing says what is tissue"):
        store_stats(plain, of="tissue")


def test_programs_get_the_units_of_the_grid_or_those_that_they_ask_for(tmp_path: Path) -> None:
    level = slide(tmp_path)
    plain = json.loads(invoke(level.path, "--objects", "--format", "json"))
    asked = list(csv.DictReader(io.StringIO(invoke(level.path, "--objects", "--format", "csv", "--unit", "mm2"))))
    for row, other in zip(plain, asked, strict=True):
        assert (row["unit"], other["unit"], row["of"]) == ("um2", "mm2", "tissue")
        assert float(other["area"]) == row["area"] / 1e6
        assert float(other["density"]) == pytest.approx(row["density"] * 1e6, rel=1e-15)
    pixels = store_of(tmp_path / "px.zarr", MASK, None, fingerprint={}, config={"source": {}})
    with pytest.raises(InputError, match="areas are counted in px"):
        in_unit(store_stats(pixels), "mm2")


def test_sums_are_equal_whatever_the_blocks(tmp_path: Path) -> None:
    level = slide(tmp_path)
    rows = store_stats(level)
    assert [row.area for row in rows] == [row.pixels * PIXEL_UM2 for row in rows]
    whole = np.asarray(level.read(Window(row=0, col=0, height=150, width=170)))
    assert [row.pixels for row in rows] == [(whole == row.code).sum() for row in rows]
