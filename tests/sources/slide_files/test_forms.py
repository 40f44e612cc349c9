"""One slide in every form that tests can write: the same mask in the same place, whichever library reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import zarr

from pipeline.config import SourceConfig
from pipeline.sources import open_source
from pipeline.sources.slide_files.by_openslide import OpenSlideFile
from tests import slides
from tests.running.test_execute import go, mask
from tests.sources.slide_files.test_jobs import config

MPP = 0.25
SIDE = 412
"""Rows of level 0, px; no whole number of tiles."""


def written(folder: Path, form: str) -> Path:
    """A slide that is wider than high, with a level of a quarter."""
    tissue, place = slides.tissue(512)[:SIDE], folder / form
    place.mkdir()
    return slides.FORMS[form](place, [tissue, slides.squares(tissue, 4)], MPP)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("keys", [{"mpp": 0.55}, {"mpp": 1.3}, {"level": 1}, {}])
def test_each_form_of_a_slide_gives_the_same_mask_in_the_same_place(tmp_path: Path, keys: dict[str, Any]) -> None:
    for form in slides.FORMS:
        source = {"kind": "slide", "path": str(written(tmp_path, form)), **keys}
        go(config(tmp_path, form, source=source, output={"exports": ["cog", "qupath"]}))
    first = zarr.open(str(tmp_path / "aperio.zarr"), mode="r").attrs.asdict()
    assert len(np.unique(mask(tmp_path, "aperio"))) == 3
    step = keys.get("mpp", MPP * 4 ** keys.get("level", 0))
    assert first["spatial:transform"] == pytest.approx([step, 0, 0, 0, step, 0])
    assert mask(tmp_path, "aperio").shape == (round(SIDE * MPP / step), round(512 * MPP / step))
    for form in slides.FORMS:
        assert (mask(tmp_path, form) == mask(tmp_path, "aperio")).all()
        attributes = zarr.open(str(tmp_path / f"{form}.zarr"), mode="r").attrs.asdict()
        assert attributes["spatial:transform"] == pytest.approx(first["spatial:transform"])
        assert scales(attributes) == pytest.approx(scales(first))
        with rasterio.open(tmp_path / f"{form}.mask.tif") as cog:
            assert tuple(cog.transform)[:6] == pytest.approx((step, 0, 0, 0, step, 0))
        drawn, expected = ((tmp_path / f"{name}.qupath.geojson").stat().st_size for name in (form, "aperio"))
        assert abs(drawn - expected) < 100  # names and ids of stores differ


def scales(attributes: dict[str, Any]) -> list[float]:
    """µm per px of all levels, as OME has them."""
    image = attributes["ome"]["multiscales"][0]
    assert {axis["unit"] for axis in image["axes"]} == {"micrometer"}
    return [
        number
        for level in image["datasets"]
        for step in level["coordinateTransformations"]
        for number in step.get("scale", step.get("translation"))
    ]


def test_dicom_is_read_by_openslide_and_the_others_as_their_tiles_are_stored(tmp_path: Path) -> None:
    for form in slides.FORMS:
        source: Any = open_source(SourceConfig(kind="slide", path=str(written(tmp_path, form)), mpp=1.0))
        assert isinstance(source._file, OpenSlideFile) is (form == "dicom")
        assert (source.level.index, source.aligned) == (1, True)
