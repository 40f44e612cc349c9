"""A name planted in a source is searched in everything that every command leaves and says, in both modes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests import scenes
from tests.privacy import planted
from tests.privacy.commands import Commands, every_command, job, places_of, plant

EXPORTS = ["cog", "png", "ome-tiff", "gpkg", "geoparquet", "flatgeobuf", "geojson", "qupath", "zarr-labels"]
NEEDS_CRS = {"gpkg", "geoparquet", "flatgeobuf", "geojson"}
LABELS = "marigold"
"""The name in the path of labels."""
STORE_AND_REPORT = {"job.zarr/zarr.json", "job.report.html"}
EXPECTED = {
    planted.IN_PATH: {
        *STORE_AND_REPORT,
        "shards.zarr/zarr.json",
        "shards.report.html",
        "plan.yaml",
        "job.preview/preview.html",
    },
    LABELS: {"evaluation.json", "evaluation.html", "said by evaluate"},
    planted.IN_FILE: set(),
}
"""Where each name stands without `output.redact`. With it, no name stands anywhere."""


@pytest.mark.slow
@pytest.mark.nightly("jobs")
@pytest.mark.parametrize("redact", [False, True])
def test_every_command_tells_planted_names_only_where_they_are_listed(tmp_path: Path, redact: bool) -> None:
    source = plant(tmp_path, "tiff")
    config, commands, work = job(tmp_path, source, redact), Commands(), tmp_path / "work"
    labels = scenes.write(tmp_path / f"{LABELS}.tif", np.ones((1, planted.HEIGHT, planted.WIDTH), "uint8"))
    every_command(commands, config, source, labels, redact)
    for form in EXPORTS:
        commands("export", work / "job.zarr", "--to", form)
    for name, expected in EXPECTED.items():
        assert places_of(name, work, commands.said) ^ (set() if redact else expected) == set()


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize("maker", planted.MAKERS)
def test_no_form_of_a_source_brings_its_names_into_outputs(tmp_path: Path, maker: str, redact: bool) -> None:
    source = plant(tmp_path, maker)
    assert planted.IN_FILE in str(metadata(source))
    config, commands, work = job(tmp_path, source, redact), Commands(), tmp_path / "work"
    commands("run", config, "--log-format", "json")
    with rasterio.open(source) as file:
        forms = [form for form in EXPORTS if file.crs or form not in NEEDS_CRS]
    for form in forms if maker != "tiff" else ["cog", "ome-tiff", "qupath"]:
        commands("export", work / "job.zarr", "--to", form)
    assert places_of(planted.IN_PATH, work, commands.said) == (set() if redact else STORE_AND_REPORT)
    assert places_of(planted.IN_FILE, work, commands.said) == set()


def metadata(source: Path) -> list[dict[str, str]]:
    with rasterio.open(source) as file:
        return [file.tags(ns=space) for space in (None, *file.tag_namespaces())]
