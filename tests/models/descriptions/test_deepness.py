"""What the metadata of Deepness state, in keys of a config, and which metadata are not its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import ModelConfig
from pipeline.config.load import config_of
from pipeline.errors import ModelError, StoreError
from pipeline.models.descriptions import read_description
from pipeline.models.descriptions.foreign_entries import EIGHT_BITS
from pipeline.planning.described import with_description
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import open_layer
from tests import scenes
from tests.models.onnx_files import described_convolution

SEGMENTOR = {
    "model_type": '"Segmentor"',
    "class_names": '{"0": "water"}',
    "resolution": "20",
    "tile_size": "512",
    "tiles_overlap": "15",
    "seg_thresh": "0.4",
    "standardization_mean": "[0.1, 0.2, 0.3]",
    "standardization_std": "[1, 1, 2]",
}


def filled(path: Path, **model: Any) -> ModelConfig:
    return with_description(ModelConfig.model_validate({"path": path, **model}))


def section(model: ModelConfig) -> dict[str, Any]:
    return {} if model.input is None else model.input.model_dump(exclude_unset=True)


def test_numbers_names_size_and_threshold_are_taken(tmp_path: Path) -> None:
    path = described_convolution(tmp_path / "a.onnx", **SEGMENTOR)
    model, description = filled(path), read_description(path)
    assert model.kind == "onnx"
    assert section(model) == {"scale": EIGHT_BITS, "mean": [0.1, 0.2, 0.3], "std": [1, 1, 2], "size": 512}
    assert model.output.threshold == 0.4
    assert [row.name for row in model.classes or ()] == ["background", "water"]
    assert description is not None
    assert (description.bands, description.pixel_size) == (3, 0.2)
    text = "\n".join(model.described)
    assert text.startswith(f"a segmentor of Deepness, by the metadata of {path}")
    assert "model.input.scale: 0.003921568627, as the file's metadata has it" in text
    assert "tiles overlap by 15 % there" in text


@pytest.mark.parametrize(
    ("names", "channels", "expected"),
    [
        ('{"0": "other", "1": "field"}', 2, ["other", "field"]),
        ("{1: 'field', 0: 'other'}", 2, ["other", "field"]),
        ("{1: 'field', 0: 'other'}", 1, ["other", "field"]),
        ("[{0: 'other', 1: 'field'}]", 2, ["other", "field"]),
        ("[{0: 'other', 1: 'field'}, {0: 'age'}]", 2, None),
        ('{"0": "a", "1": "b", "2": "c"}', 2, None),
        ("bright", 2, None),
    ],
)
def test_names_are_those_of_the_channels(names: str, channels: int, expected: list[str] | None, tmp_path: Path) -> None:
    path = described_convolution(tmp_path / "a.onnx", channels=channels, **{**SEGMENTOR, "class_names": names})
    classes = filled(path).classes
    assert (None if classes is None else [row.name for row in classes]) == expected


def test_a_threshold_of_several_channels_is_told_and_decides_nothing(tmp_path: Path) -> None:
    model = filled(described_convolution(tmp_path / "a.onnx", channels=2, **SEGMENTOR))
    assert model.output.model_fields_set == set()
    assert any("none reaches 0.4 (seg_thresh)" in sentence for sentence in model.described)


def test_metadata_that_are_no_numbers_are_not_believed(tmp_path: Path) -> None:
    wrong = {
        "standardization_mean": "bright",
        "standardization_std": "[NaN]",
        "seg_thresh": "7",
        "tile_size": "huge",
        "class_names": "[" * 70_000,
        "resolution": "-1",
    }
    path = described_convolution(tmp_path / "a.onnx", **wrong)
    model, description = filled(path), read_description(path)
    assert section(model) == {"scale": EIGHT_BITS}
    assert (model.output.threshold, model.classes) == (0.5, None)
    assert description is not None
    assert description.pixel_size is None


def test_what_the_config_gives_takes_the_place_of_what_is_stated(tmp_path: Path) -> None:
    path = described_convolution(tmp_path / "a.onnx", **SEGMENTOR)
    model = filled(path, input={"scale": 1.0, "std": 2.0}, output={"threshold": 0.7}, classes=[{"name": "x"}])
    assert section(model) == {"scale": 1.0, "mean": [0.1, 0.2, 0.3], "std": 2.0, "size": 512}
    assert model.output.threshold == 0.7
    assert "the config gives model.input.scale" in model.described[-1]
    assert section(filled(path, input={"normalise": {"method": "minmax"}})).keys() == {"normalise", "size"}


def test_a_regressor_says_that_it_returns_values(tmp_path: Path) -> None:
    model = filled(described_convolution(tmp_path / "a.onnx", model_type='"Regressor"', reg_output_scaling="100"))
    assert any("output.layers: [values]), which Deepness multiplies by 100" in text for text in model.described)


@pytest.mark.parametrize("kind", ["Detector", "Superresolution", "Recognition"])
def test_a_network_of_another_type_is_refused_by_its_name(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"is a {kind} by its metadata \(model_type\), as Deepness calls it"):
        filled(described_convolution(tmp_path / "a.onnx", model_type=f'"{kind}"'))


@pytest.mark.parametrize(
    "metadata",
    [{}, {"names": "{0: 'a'}", "task": "segment", "stride": "32"}, {"class_names": "{0: 'a'}"}, {"model_type": "unet"}],
)
def test_metadata_of_other_programs_are_not_taken_for_those_of_deepness(
    metadata: dict[str, str], tmp_path: Path
) -> None:
    assert read_description(described_convolution(tmp_path / "a.onnx", **metadata)) is None


def test_without_onnx_the_loader_of_the_kind_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = described_convolution(tmp_path / "a.onnx", **SEGMENTOR)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert read_description(path) is None


def job(folder: Path, **model: Any) -> Job:
    config = {
        "source": {"path": str(folder / "scene.tif")},
        "model": {"kind": "onnx", "path": str(folder / "a.onnx"), **model},
        "output": {"path": str(folder / "a.zarr"), "chunk": 64, "exports": [], "report": False},
        "execution": {"device": "cpu", "engine": "serial"},
    }
    return prepare_job(config_of(config))


@pytest.mark.slow
def test_a_run_is_that_of_the_plugin_and_a_store_of_before_is_refused_by_the_key(tmp_path: Path) -> None:
    described_convolution(tmp_path / "a.onnx", **{**SEGMENTOR, "standardization_mean": "0.25", "seg_thresh": "0.55"})
    pixels = np.random.default_rng(0).integers(1, 256, (3, 64, 80), dtype=np.uint8)
    scenes.write(tmp_path / "scene.tif", pixels)
    with Progress() as progress:
        execute(job(tmp_path), progress)
    scores = ((pixels / 255 - 0.25) / np.reshape([1, 1, 2], (3, 1, 1))).mean(axis=0)
    expected = 1 / (1 + np.exp(-scores)) >= 0.55
    assert (open_layer(tmp_path / "a.zarr", 0, "mask")[...] == expected).mean() > 0.999
    assert 0 < expected.sum() < expected.size
    before = {"scale": 1.0, "mean": 0.0, "std": 1.0}
    with pytest.raises(StoreError, match=r"model\.input\.scale was .*0\.0039.* and is now .*1\.0"):
        job(tmp_path, input=before)
