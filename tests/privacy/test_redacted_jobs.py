"""Jobs that keep names out of what they write: gone on with, verified, frozen, judged, failed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

from pipeline.store.lifecycle import read_store_meta
from tests import runs, scenes
from tests.commands import wholecloth
from tests.privacy import planted
from tests.privacy.commands import Commands, job, places_of, plant


def other_pixels(source: Path) -> Path:
    """A file of the same grid and size, with other pixels."""
    other = source.with_name("other.tif")
    shutil.copy(source, other)
    with rasterio.open(other, "r+") as file:
        file.write(file.read()[:, ::-1])
    return other


@pytest.mark.slow
def test_a_redacted_store_is_gone_on_with_by_the_checksums_of_its_pixels(tmp_path: Path) -> None:
    source = plant(tmp_path, "ome")
    config, commands, store = job(tmp_path, source, redact=True), Commands(), tmp_path / "work" / "job.zarr"
    commands("run", config)
    kept = runs.arrays(store)
    stand_in = read_store_meta(store)["config"]["source"]["path"]
    assert stand_in.startswith("redacted://")
    assert read_store_meta(store)["given"]["source"]["path"] == stand_in
    commands("run", config)
    assert b"are compared with the ledger" not in commands.said["said by run"]
    moved = shutil.move(source, source.with_name("moved.tif"))
    commands("run", config, "--source", moved)
    assert b"committed blocks have the same pixels" in commands.said["said by run"]
    assert read_store_meta(store)["config"]["source"]["path"] != stand_in
    commands("run", config, "--source", other_pixels(Path(moved)), fails="committed blocks differ")
    assert runs.arrays(store) == kept
    assert places_of(planted.IN_PATH, tmp_path / "work", commands.said) == set()


@pytest.mark.slow
def test_verify_needs_the_source_of_a_redacted_store_and_compares_its_pixels(tmp_path: Path) -> None:
    source = plant(tmp_path, "ome")
    config, commands, store = job(tmp_path, source, redact=True), Commands(), tmp_path / "work" / "job.zarr"
    commands("run", config)
    commands("verify", store, fails="a stand-in (redacted://…) for source.path, since it was made with output.redact")
    moved = shutil.move(source, source.with_name("moved.tif"))
    commands("verify", store, "--windows", "0", "--source", moved)
    assert b"committed blocks have the same pixels" in commands.said["said by verify"]
    commands("verify", store, "--source", other_pixels(Path(moved)), fails="was made of other pixels")


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_shards_with_a_certificate_are_finished_with_the_source_alone(tmp_path: Path) -> None:
    source = plant(tmp_path, "ome")
    config, commands = job(tmp_path, source, redact=True, certificate=True), Commands()
    work = tmp_path / "work"
    commands("run", config, "--shard", "1/1")
    commands("finish", work / "job.zarr", fails="Give --source FILE")
    assert not read_store_meta(work / "job.zarr").get("complete")
    commands("finish", work / "job.zarr", "--source", source)
    assert read_store_meta(work / "job.zarr")["certificate"]["passed"]
    assert places_of(planted.IN_PATH, work, commands.said) == set()


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_frozen_plan_without_names_runs_with_its_source_to_the_same_bytes(tmp_path: Path) -> None:
    source, work = plant(tmp_path, "ome"), tmp_path / "work"
    config, commands = job(tmp_path, source, redact=True), Commands()
    commands("plan", config, "--freeze", work / "plan.yaml")
    commands("run", config)
    commands("run", work / "plan.yaml", "--out", work / "frozen.zarr", fails="Give --source FILE")
    commands("run", work / "plan.yaml", "--locked", "--source", source, "--out", work / "frozen.zarr")
    assert runs.arrays(work / "frozen.zarr") == runs.arrays(work / "job.zarr")
    assert places_of(planted.IN_PATH, work, commands.said) == set()


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_store_that_named_its_source_forgets_it_in_a_rerun_that_redacts(tmp_path: Path) -> None:
    source, work, commands = plant(tmp_path, "ome"), tmp_path / "work", Commands()
    commands("run", job(tmp_path, source, redact=False))
    kept = runs.arrays(work / "job.zarr")
    assert places_of(planted.IN_PATH, work, {}) == {"job.zarr/zarr.json", "job.report.html"}
    commands("run", job(tmp_path, source, redact=True))
    assert places_of(planted.IN_PATH, work, {}) == set()
    assert runs.arrays(work / "job.zarr") == kept


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_polygons_of_a_redacted_store_are_named_when_they_are_needed(tmp_path: Path) -> None:
    source, work, commands = plant(tmp_path, "ome"), tmp_path / "work", Commands()
    config = job(tmp_path, source, redact=True)
    aoi = source.with_suffix(".geojson")
    ring = [[500_000, 4_600_000], [500_500, 4_600_000], [500_500, 4_599_500], [500_000, 4_600_000]]
    polygon = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    aoi.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [polygon]}))
    document = yaml.safe_load(config.read_text())
    document["source"]["aoi"] = str(aoi)
    config.write_text(yaml.safe_dump(document))
    commands("run", config)
    store = work / "job.zarr"
    commands("stats", store, "--of", "aoi", fails="Give --aoi FILE")
    commands("stats", store, "--of", "aoi", "--aoi", aoi)
    labels = scenes.write(source.with_name("labels.tif"), np.ones((1, planted.HEIGHT, planted.WIDTH), "uint8"))
    commands("evaluate", store, "--labels", labels, "--aoi", aoi)
    commands("verify", store, "--source", source, fails="Give --set source.aoi=FILE")
    commands("verify", store, "--windows", "0", "--source", source, "--set", f"source.aoi={aoi}")
    assert places_of(planted.IN_PATH, work, commands.said) == set()


@pytest.mark.nightly("jobs")
@pytest.mark.slow
def test_a_block_that_cannot_be_read_is_told_without_the_name_of_its_file(tmp_path: Path) -> None:
    source = plant(tmp_path, "ome")
    scenes.write(source, planted.pixels(), tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    config, work = job(tmp_path, source, redact=True), tmp_path / "work"
    with source.open("r+b") as file:
        file.truncate(source.stat().st_size - 200)
    done = wholecloth("--debug", "run", config, "--log-format", "json")
    assert done.returncode == 1, done.stderr
    assert "cannot be read" in done.stderr
    assert "redacted://" in done.stderr
    assert places_of(planted.IN_PATH, work, {"said by run": (done.stdout + done.stderr).encode()}) == set()
    missing = wholecloth("--debug", "run", config, "--source", source.with_name("gone.tif"))
    assert (missing.returncode, "Traceback" in missing.stderr) == (1, True)
    assert planted.IN_PATH not in missing.stderr
