"""Areas of classes on the page of a run, and of slides what tissue has to do with them."""

from __future__ import annotations

from pathlib import Path

from pipeline.reports.classes import class_areas
from pipeline.store.lifecycle import read_store_meta, restate
from pipeline.store.spec import StoreSpec
from tests.quality.stats.stores import CLASSES, grid_of
from tests.quality.stats.test_tissue import MASK, PIXEL_UM2, TISSUE, slide
from tests.store import specs

SPEC: StoreSpec = specs.spec(grid_of("um", 150, 170), classes=CLASSES)


def test_shares_of_a_slide_are_of_its_tissue_and_objects_are_counted_where_they_are_exported(tmp_path: Path) -> None:
    level = slide(tmp_path)
    areas = class_areas(level.path, SPEC)
    assert areas is not None
    assert (areas.pixels, areas.of, areas.area) == (TISSUE.sum(), "of tissue", f"{TISSUE.sum() * PIXEL_UM2:,.0f} µm²")
    assert [bar.share for bar in areas.bars] == [(row.code == MASK).sum() / TISSUE.sum() for row in CLASSES]
    assert {bar.objects for bar in areas.bars} == {""}
    meta = read_store_meta(level.path)
    meta["config"]["output"] = {"exports": [{"to": "qupath"}], "layers": ["mask"]}
    restate(level.path, meta)
    counted = class_areas(level.path, SPEC)
    assert counted is not None
    assert all(" objects, " in bar.objects and bar.objects.endswith(" per mm²") for bar in counted.bars)


def test_without_the_file_of_its_tissue_shares_are_of_pixels_with_a_class(tmp_path: Path) -> None:
    level = slide(tmp_path)
    (tmp_path / "tissue.png").unlink()
    areas = class_areas(level.path, SPEC)
    assert areas is not None
    assert (areas.pixels, areas.of) == ((MASK != 255).sum(), "with a class")
