"""A MONAI bundle runs with nothing but its path; code that it brings runs where the user trusts it, and never else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import zarr

import pipeline
from pipeline.config.load import config_of, load_config
from pipeline.errors import ExtraError, ModelError
from pipeline.planning.first_config.suggestion import suggest
from pipeline.planning.freeze import freeze
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.running.finish import complete_store
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import META_KEY, open_layer, read_store_meta
from tests import scenes
from tests.models.descriptions.bioimage import packages
from tests.models.descriptions.monai import library
from tests.models.descriptions.monai.bundles import NETWORK, bundle, inference, network, zipped

OUT = {"chunk": 64, "exports": [], "report": False}
TRUSTED = {"_target_": "scripts.net.Net", "bands": 3, "classes": "$1 + 1"}
SOURCE = "from tests.networks import Twice\nclass Net(Twice):\n    pass\n"


@pytest.fixture
def monai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with library.installed(tmp_path / "site", monkeypatch):
        yield


def document(folder: Path, path: Path, **model: Any) -> dict[str, Any]:
    raster = folder / "scene.tif"
    if not raster.exists():
        scenes.scene(raster, 96, 128)
    output = {"path": str(folder / "a.zarr"), **OUT}
    execution = {"device": "cpu", "engine": "serial"}
    model = {"path": str(path), **model}
    return {"source": {"path": str(raster)}, "model": model, "output": output, "execution": execution}


def job(folder: Path, path: Path, **model: Any) -> Job:
    return prepare_job(config_of(document(folder, path, **model)))


def run(made: Job) -> None:
    with Progress() as progress:
        execute(made, progress)


def trusted_bundle(folder: Path) -> Path:
    """A bundle whose network is a class of its own, with an expression among its arguments."""
    made = bundle(folder, weights=("python",), config=inference(network_def=TRUSTED))
    (made / "scripts").mkdir()
    (made / "scripts" / "net.py").write_text(SOURCE)
    return made


def test_a_bundle_runs_with_nothing_but_its_path(tmp_path: Path) -> None:
    made = job(tmp_path, zipped(bundle(tmp_path / "a")))
    assert [(row.name, row.role) for row in made.spec.classes] == [("background", "background"), ("tool", None)]
    text = "\n".join(sentence for _, sentence in plan_rows(made))
    assert "model.input.scale: 0.002, as the model's description has it" in text
    assert "model.classes: background, tool, as the model's description names its channels" in text
    run(made)
    pixels = scenes.read(tmp_path / "scene.tif")
    valid = pixels[0] > 0
    with torch.inference_mode():
        scores = network()(torch.from_numpy(((pixels / 500 - 1) * valid)[None].astype("float32")))
    mask = open_layer(tmp_path / "a.zarr", 0, "mask")[...]
    assert (mask[valid] == scores[0].argmax(0).numpy()[valid]).mean() > 0.999


@pytest.mark.slow
def test_a_state_dict_is_that_of_the_network_that_the_bundle_names(monai: None, tmp_path: Path) -> None:
    made = job(tmp_path, bundle(tmp_path / "a", weights=("python",)))
    assert made.fingerprint["model.factory"] == "UNet"
    assert made.locality.radius is not None
    assert made.locality.radius.largest == 2
    assert ("", "model.factory: monai.networks.nets:UNet, as the model's description has it") in plan_rows(made)


def test_without_monai_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "monai", None)
    with pytest.raises(ExtraError, match=r"pip install 'wholecloth\[monai\]'"):
        job(tmp_path, bundle(tmp_path / "a", weights=("python",)))


@pytest.mark.slow
def test_code_of_a_bundle_runs_where_it_is_trusted_and_no_store_or_plan_trusts_it(monai: None, tmp_path: Path) -> None:
    folder = trusted_bundle(tmp_path / "a")
    config = document(tmp_path, folder)
    config["output"]["certificate"] = True
    with pytest.raises(ModelError, match="Nothing that a description brings or names is executed unasked"):
        prepare_job(config_of(config))
    config["model"]["trust"] = True
    made = prepare_job(config_of(config))
    assert made.fingerprint["model.code"].keys() >= {"scripts.net"}
    assert any(text.startswith("CODE of the model's description is executed") for _, text in plan_rows(made))
    plan = freeze(made, tmp_path / "job.yaml", tmp_path / "frozen.yaml")
    assert "trust" not in plan.read_text()
    plan.write_text(plan.read_text().replace("model:\n", "model:\n  trust: true\n", 1))  # as a stranger would
    run(made)
    store = tmp_path / "a.zarr"
    assert "trust" not in json.dumps(read_store_meta(store))
    with pytest.raises(ModelError, match=r"model\.trust"):
        prepare_job(load_config(plan))
    assert prepare_job(load_config(plan, ["model.trust=true"])).complete
    assert pipeline.verify(store, windows=1, trust=True)["passed"]


@pytest.mark.slow
def test_a_store_of_a_stranger_that_trusts_itself_is_not_believed(monai: None, tmp_path: Path) -> None:
    config = document(tmp_path, trusted_bundle(tmp_path / "a"), trust=True)
    run(prepare_job(config_of(config)))
    store, root = tmp_path / "a.zarr", zarr.open_group(tmp_path / "a.zarr", mode="r+")
    meta: Any = dict(root.attrs[META_KEY])  # type: ignore[arg-type]
    meta["given"]["model"]["trust"] = meta["config"]["model"]["trust"] = True
    meta["config"]["output"]["certificate"] = True
    root.attrs[META_KEY] = meta
    with pytest.raises(ModelError, match=r"model\.trust"):
        pipeline.verify(store, windows=1)
    with pytest.raises(ModelError, match=r"model\.trust"):
        complete_store(store, lambda _: None)
    assert complete_store(store, lambda _: None, trust=True).certificate["passed"]  # type: ignore[index]


@pytest.mark.slow
def test_a_network_that_is_trusted_is_the_same_wherever_its_bundle_lies(monai: None, tmp_path: Path) -> None:
    folder = trusted_bundle(tmp_path / "a")
    first = job(tmp_path, folder, trust=True).fingerprint
    assert job(tmp_path, zipped(folder), trust=True).fingerprint == first
    (folder / "scripts" / "net.py").write_text(SOURCE + "\n# another\n")
    assert job(tmp_path, folder, trust=True).fingerprint["model.code"] != first["model.code"]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_architecture_of_bioimage_io_is_executed_where_it_is_trusted(version: str, tmp_path: Path) -> None:
    folder = packages.package(tmp_path / "a", version, weights=("pytorch_state_dict",))
    code = f"from {packages.__name__} import network\nfrom net_size import SIZE\n\n"
    (folder / "net.py").write_text(code + "def make(channels): return network(channels * SIZE)\n")
    (folder / "net_size.py").write_text("SIZE = 1\n")
    with pytest.raises(ModelError, match=r"built by code: net\.py:make\. Nothing"):
        job(tmp_path, folder)
    made = job(tmp_path, packages.zipped(folder), trust=True)
    assert (made.config.model.kind, made.config.model.factory, made.config.model.args) == (
        "python",
        None,
        {"channels": 1},
    )
    named = job(tmp_path, folder, factory=f"{folder}/net.py:make")
    assert named.fingerprint == made.fingerprint


def test_init_writes_a_config_with_nothing_but_the_path_and_says_what_code_there_would_be(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 96, 128)
    text = suggest(str(bundle(tmp_path / "a")), str(tmp_path / "scene.tif"), None).text
    assert "a model that is described as those of MONAI are" in text
    code = {**NETWORK, "_target_": "scripts.net.Net"}
    folder = bundle(tmp_path / "b", weights=("python",), config=inference(network_def=code))
    suggestion = suggest(str(folder), str(tmp_path / "scene.tif"), None)
    assert any("scripts.net.Net" in task and "model.trust: true" in task for task in suggestion.todo)


@pytest.mark.nightly("networks")
@pytest.mark.parametrize("target", ["UNet", "scripts.net.Net"])
def test_the_library_itself_builds_what_a_bundle_defines(target: str, tmp_path: Path) -> None:
    nets = pytest.importorskip("monai.networks.nets")
    definition = {**NETWORK, "_target_": target, "strides": [2], "norm": "batch"}
    if target != "UNet":
        definition["strides"] = "$[2 for _ in range(@classes - 1)]"
    folder = bundle(tmp_path / "a", weights=(), config=inference(network_def=definition))
    (folder / "scripts").mkdir()
    (folder / "scripts" / "net.py").write_text("from monai.networks.nets import UNet\nclass Net(UNet):\n    pass\n")
    built = nets.UNet(spatial_dims=2, in_channels=3, out_channels=2, channels=[4, 8], strides=[2], norm="batch")
    torch.save(built.state_dict(), folder / "models/model.pt")
    made = job(tmp_path, folder, trust=target != "UNet")
    assert (made.fingerprint["model.factory"], made.locality.stride) == (
        "UNet" if target == "UNet" else "network_def",
        2,
    )
    assert ("monai" in made.fingerprint["model.code"]) or target == "UNet"
