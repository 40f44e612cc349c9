"""What a description states fills in what the config leaves open, and the plan says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.config import ModelConfig, NormaliseConfig
from pipeline.config.load import config_of
from pipeline.errors import ConfigError, ModelError, StoreError
from pipeline.planning.described import with_description
from pipeline.planning.job import Job
from pipeline.planning.normalisation import numbers_known
from pipeline.planning.normalise_text import NORMALISE_KEY
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import open_layer
from tests import scenes
from tests.models.descriptions.bioimage import packages
from tests.models.descriptions.bioimage.packages import SAMPLE_STEPS, package, zipped

UNIT = {"id": "scale_linear", "kwargs": {"gain": 0.001}}
GIVEN = {
    "id": "fixed_zero_mean_unit_variance",
    "kwargs": {"axis": "channel", "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.1]},
}


def filled(path: Path, **model: Any) -> ModelConfig:
    return with_description(ModelConfig.model_validate({"path": path, **model}))


def job(folder: Path, path: Path, **model: Any) -> Job:
    raster = folder / "scene.tif"
    if not raster.exists():
        scenes.scene(raster, 96, 128)
    config = {
        "source": {"path": str(raster)},
        "model": {"path": str(path), **model},
        "output": {"path": str(folder / "a.zarr"), "chunk": 64, "exports": [], "report": False},
        "execution": {"device": "cpu", "engine": "serial"},
    }
    return prepare_job(config_of(config))


def test_kind_steps_and_names_are_taken_and_the_plan_says_so(tmp_path: Path) -> None:
    folder = package(tmp_path / "a", channels=2)
    made = job(tmp_path, zipped(folder))
    model = made.config.model
    assert (model.kind, model.output.activation, model.output.multilabel) == ("onnx", "sigmoid", True)
    assert [row.name for row in made.spec.classes] == ["nucleus", "membrane", "background"]
    assert model.input is not None
    assert model.input.normalise is not None
    assert (model.input.normalise.method, model.input.normalise.eps) == ("standardise", 1e-6)
    rows = plan_rows(made)
    start = next(k for k, (name, _) in enumerate(rows) if name == "description")
    text = "\n".join(sentence for _, sentence in rows[start : start + 10])
    assert "cells of a test, by rdf.yaml in " in text
    assert "onnx weights weights.onnx, whose SHA-256 is the stated one; model.kind: torchscript takes others" in text
    assert "standardise" in text
    assert "it is of each sample there, and the raster is the sample here, as a whole" in text
    assert "a halo of 4 px is hinted at" in text


def test_given_keys_win_one_by_one_and_the_plan_names_them(tmp_path: Path) -> None:
    folder = package(tmp_path / "a", before=[UNIT, GIVEN])
    model = filled(folder, kind="torchscript", input={"mean": 1.5}, output={"threshold": 0.7}, classes=[{"name": "x"}])
    assert model.input is not None
    assert (model.input.scale, model.input.mean, model.input.std) == (0.001, 1.5, [0.2, 0.3, 0.1])
    assert (model.output.activation, model.output.threshold) == ("sigmoid", 0.7)
    assert model.described[-1] == (
        "the config gives model.input.mean, model.output.threshold, model.kind, model.classes, whatever the "
        "description states"
    )
    assert with_description(model) is model


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"normalise": {"method": "minmax"}}, {"method": "minmax"}),
        ({"scale": 0.5}, None),
        ({"normalise": None, "mean": 3.0}, None),
    ],
)
def test_a_given_normalisation_takes_the_place_of_all_steps(
    given: dict[str, Any], expected: dict[str, Any] | None, tmp_path: Path
) -> None:
    model = filled(package(tmp_path / "a"), input=given)
    assert model.input is not None
    normalise = model.input.normalise
    assert (None if normalise is None else normalise.model_dump(exclude_unset=True)) == expected
    assert not any("raster is the sample" in sentence for sentence in model.described)


def test_a_size_that_is_fixed_is_the_size_of_tiles(tmp_path: Path) -> None:
    folder = package(tmp_path / "a", "0.4")
    document = packages.document(folder)
    document["inputs"][0]["shape"] = [1, 3, 48, 48]
    packages.write(folder, document)
    model = filled(folder)
    assert model.input is not None
    assert model.input.size == 48
    assert any(sentence == "model.input.size: 48, as the model's description has it" for sentence in model.described)


def test_numbers_of_a_data_set_are_those_of_the_raster_without_a_word_of_samples(tmp_path: Path) -> None:
    steps = [{"name": "scale_range", "kwargs": {"mode": "per_dataset", "axes": "xyc", "min_percentile": 1}}]
    model = filled(package(tmp_path / "a", "0.4", before=steps))
    assert model.input is not None
    assert model.input.normalise is not None
    assert (model.input.normalise.channels, model.input.normalise.percentages) == ("joint", (1, 100))
    assert not any("raster is the sample" in sentence for sentence in model.described)


@pytest.mark.parametrize(
    ("changes", "model", "reason"),
    [
        (
            {"before": [{"id": "sigmoid"}]},
            {},
            "before the network, sigmoid is not done .* Give model.input in the config",
        ),
        ({"before": [{"id": "steps", "source": "steps.py"}]}, {}, r"steps is code of the package \(steps\.py\)"),
        (
            {"after": [{"id": "cellpose_flow_dynamics"}]},
            {},
            "of the output scores, cellpose_flow_dynamics .* Give model",
        ),
        ({"before": [SAMPLE_STEPS["0.5"][0], GIVEN]}, {}, "after a mean and deviation of the image"),
        (
            {"before": [{"id": "scale_range"}, UNIT | {"kwargs": {"offset": -9.0}}]},
            {},
            "make a section model.input that",
        ),
        ({}, {"kind": "exported"}, "model.kind is exported, for which .* has no weights; it has torchscript, onnx"),
        ({"weights": ("pytorch_state_dict",)}, {}, r"built by code: net\.py:make\. Nothing that a description brings"),
        ({"weights": ()}, {}, "weights: It has to have at least 1 item"),
    ],
)
def test_what_is_asked_for_and_not_done_is_an_error_that_names_it(
    changes: dict[str, Any], model: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    folder = package(tmp_path / "a", **changes)
    with pytest.raises(ModelError, match=reason):
        filled(folder, **model)


def test_a_step_that_is_not_done_is_left_to_a_config_that_says_what_to_do(tmp_path: Path) -> None:
    after = [{"id": "scale_mean_variance", "kwargs": {"reference_tensor": "raw"}}]
    folder = package(tmp_path / "a", before=[{"id": "sigmoid"}], after=after)
    model = filled(folder, input={"scale": 1.0}, output={"activation": "none"})
    assert (model.output.activation, model.output.multilabel) == ("none", False)


def test_weights_without_a_network_take_a_factory_and_the_arguments_of_the_description(tmp_path: Path) -> None:
    folder = package(tmp_path / "a", weights=("pytorch_state_dict",))
    code = f"from {packages.__name__} import network\ndef make(channels): return network(channels)\n"
    (tmp_path / "net.py").write_text(code)
    made = job(tmp_path, folder, factory=f"{tmp_path}/net.py:make")
    assert (made.config.model.kind, made.config.model.args) == ("python", {"channels": 1})
    assert made.locality.radius is not None
    assert made.locality.radius.largest == 2


def test_a_run_is_that_of_the_network_by_itself_and_does_not_go_on_with_another_description(tmp_path: Path) -> None:
    folder = package(tmp_path / "a", before=[UNIT, GIVEN])
    with Progress() as progress:
        execute(job(tmp_path, folder), progress)
    pixels = scenes.read(tmp_path / "scene.tif") * 0.001
    mean, std = (np.reshape(GIVEN["kwargs"][name], (3, 1, 1)) for name in ("mean", "std"))
    valid = pixels[0] > 0
    expected = packages.answer((((pixels - mean) / std) * valid)[None].astype("float32"))[0, 0] >= 0.5
    mask = open_layer(tmp_path / "a.zarr", 0, "mask")[...]
    assert (mask[valid] == expected[valid]).mean() > 0.999
    assert job(tmp_path, folder).complete
    document = packages.document(folder)
    document["inputs"][0]["preprocessing"][1]["kwargs"]["mean"] = [0.1, 0.5, 0.6]
    packages.write(folder, document)
    with pytest.raises(StoreError, match=r"model\.input\.mean was .*0\.4.* and is now .*0\.1"):
        job(tmp_path, folder)
    with pytest.raises(StoreError, match=r"model\.kind was onnx and is now torchscript"):
        job(tmp_path, folder, kind="torchscript", input={"mean": [0.4, 0.5, 0.6]})


def test_numbers_of_a_store_hold_for_the_same_eps_alone() -> None:
    record = {"method": "standardise", "over": "raster", "channels": "each", "clip": False, "resolution": "full"}
    plain, added = NormaliseConfig(method="standardise"), NormaliseConfig(method="standardise", eps=1e-6)
    for stored, matching in ((record, plain), ({**record, "eps": 1e-6}, added)):
        fitting = [one for one in (plain, added) if numbers_known(one, {NORMALISE_KEY: stored})]
        assert fitting == [matching]


def test_a_description_of_other_channels_than_the_network_returns_is_refused(tmp_path: Path) -> None:
    folder = package(tmp_path / "a", "0.4")
    document = yaml.safe_load((folder / "rdf.yaml").read_text())
    document["outputs"][0]["shape"] = [1, 5, 64, 64]
    (folder / "rdf.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ModelError, match=r"it describes 5 channels of what is returned, and the network returns 1\."):
        job(tmp_path, folder)


def test_a_fault_of_a_stated_number_names_the_description(tmp_path: Path) -> None:
    step = {"name": "zero_mean_unit_variance", "kwargs": {"mode": "fixed", "axes": "xy", "mean": [0, 0, 0]}}
    step["kwargs"]["std"] = [1, 0, 1]
    folder = package(tmp_path / "a", "0.4", before=[step])
    with pytest.raises(ConfigError, match=r"model.input.std, which .* states, contains 0"):
        job(tmp_path, folder)
