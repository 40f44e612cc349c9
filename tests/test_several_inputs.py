"""Jobs of networks of several inputs: tiled equals whole, whatever form the network has."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, StoreError
from pipeline.planning.describe import describe
from pipeline.planning.freeze import freeze
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.quality.verify.verify import job_of
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.status import status
from tests import pairs, runs, scenes


def mask(store: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(store / "0" / "mask", mode="r")[:])


def prepared(job: Path, *overrides: str) -> Job:
    return prepare_job(load_config(job, list(overrides)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "form",
    [
        "onnx",
        "python",
        *(pytest.param(name, marks=pytest.mark.nightly("networks")) for name in ("exported", "torchscript")),
    ],
)
def test_tiles_of_two_inputs_equal_one_pass_over_both_rasters(tmp_path: Path, form: str) -> None:
    path = pairs.config(tmp_path, pairs.FORMS[form](tmp_path))
    job = prepared(path)
    assert (job.locality.verdict, job.plan.tiles.halo, job.plan.tiles.exact) == ("local", 1, True)
    assert [(one.name, one.radius and one.radius.largest) for one in job.locality.inputs] == [
        ("image", 1),
        ("height", 0),
    ]
    report = runs.go(path)
    labels = mask(tmp_path / "job.zarr")
    assert report.complete
    assert (report.blocks, len(np.unique(labels)) > 2) == (4, True)
    assert (labels == pairs.whole(tmp_path, pairs.lively())).all()


@pytest.mark.nightly("networks")
@pytest.mark.parametrize("name", ["Mapped", "Mirrored"])
def test_python_networks_take_inputs_by_name(tmp_path: Path, name: str) -> None:
    runs.go(pairs.config(tmp_path, pairs.as_code(tmp_path, name)))
    assert (mask(tmp_path / "job.zarr") == pairs.whole(tmp_path, pairs.lively())).all()


@pytest.mark.nightly("jobs")
def test_source_is_that_of_the_one_input_without_a_name(tmp_path: Path) -> None:
    inputs = pairs.sections(tmp_path)
    more = {"inputs": {"height": inputs["height"]}, "input": {"mean": 500, "std": 200}}
    path = pairs.config(tmp_path, {**pairs.scripted(tmp_path), **more}, source={"path": inputs["image"]["path"]})
    assert [entry.name for entry in prepared(path).network.inputs] == ["image", "height"]
    runs.go(path)
    assert (mask(tmp_path / "job.zarr") == pairs.whole(tmp_path, pairs.lively())).all()


def test_source_gives_the_grid_and_the_area_alone_where_all_inputs_are_named(tmp_path: Path) -> None:
    blank = scenes.write(tmp_path / "blank.tif", np.zeros((1, pairs.HEIGHT, pairs.WIDTH), "uint8"), nodata=0)
    job = prepared(pairs.config(tmp_path, pairs.scripted(tmp_path), source={"path": str(blank)}))
    assert (job.source.bands, job.blocks) == (4, 4)
    assert not any("blank" in str(value) for value in job.fingerprint.values())


@pytest.mark.slow
def test_a_store_keeps_its_inputs_and_refuses_another_second_raster(tmp_path: Path) -> None:
    path = pairs.config(tmp_path, pairs.scripted(tmp_path))
    runs.go(path)
    store = tmp_path / "job.zarr"
    assert [(one["name"], one["bands"], Path(one["source"]).name) for one in status(store).inputs] == [
        ("image", 3, "image.tif"),
        ("height", 1, "height.tif"),
    ]
    assert "source" not in read_store_meta(store)["given"]
    assert job_of(store, []).fingerprint == prepared(path).fingerprint
    with pytest.raises(StoreError, match=r"another job: model.inputs.height.nodata, of \S+height.tif, was auto"):
        prepared(path, "model.inputs.height.nodata=0")
    height = scenes.read(tmp_path / "height.tif")
    height[:, 5, 5] += 1
    scenes.write(tmp_path / "height.tif", height, nodata=pairs.NO_HEIGHT)
    with pytest.raises(StoreError, match=r"pixels: model.inputs.height \(\S+height.tif\) was written anew since, "):
        runs.go(path)


def test_a_plan_names_the_inputs_and_how_far_the_network_sees_in_each(tmp_path: Path) -> None:
    job = prepared(pairs.config(tmp_path, pairs.scripted(tmp_path)))
    rows = dict(zip(*map(list, zip(*reversed(plan_rows(job)), strict=True)), strict=True))
    assert rows["inputs"] == "image: 3 bands, radius 1 px"
    assert ("", "height: 1 band, radius 0 px") in plan_rows(job)
    around = {"top": 1, "bottom": 1, "left": 1, "right": 1}
    assert describe(job)["network"]["inputs"][0] == {"name": "image", "bands": 3, "radius": around}
    assert "numbers of uint16 and float32 are read as float32" in job.source.notes


def test_a_frozen_plan_holds_its_inputs_and_names_one_that_changed(tmp_path: Path) -> None:
    path = pairs.config(tmp_path, pairs.scripted(tmp_path))
    frozen = freeze(prepared(path), path, tmp_path / "frozen.yaml")
    assert prepared(frozen).network.inputs == prepared(path).network.inputs
    with pytest.raises(ConfigError, match=r"but model\.inputs\.height\.nodata is locked at auto and would be 0\."):
        prepared(frozen, "model.inputs.height.nodata=0")


@pytest.mark.nightly("jobs")
def test_secrets_and_names_of_each_input_stay_out_of_the_store(tmp_path: Path) -> None:
    path = pairs.config(tmp_path, pairs.scripted(tmp_path), output={"redact": True})
    meta = json.dumps(prepared(path).meta(), default=str)
    assert "image.tif" not in meta
    assert "height.tif" not in meta
    runs.go(path)
    with pytest.raises(
        ConfigError, match=r"Give --set model.inputs.image.path=FILE and --set model.inputs.height.path"
    ):
        job_of(tmp_path / "job.zarr", [])
    named = [f"model.inputs.{name}.path={tmp_path / name}.tif" for name in ("image", "height")]
    assert job_of(tmp_path / "job.zarr", named).resumes
