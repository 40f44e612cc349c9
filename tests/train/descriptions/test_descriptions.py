"""What a training writes for other programs is read by our own readers, and gives the same mask as its weights."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from pipeline.config.load import config_of
from pipeline.errors import ModelError
from pipeline.models.native import build_native
from pipeline.models.weights import ModelMeta, save
from pipeline.planning.prepare import prepare_job
from pipeline.planning.reference_image import compare_reference_image
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import open_layer
from pipeline.train.descriptions import portable, write_descriptions
from pipeline.train.descriptions.mlm_item import mlm_item
from pipeline.train.descriptions.trained_model import TrainedModel
from pipeline.train.files import TrainingFiles
from tests import scenes

LOW, HIGH = {"name": "low", "color": "#102030", "code": 5}, {"name": "high", "color": "#a0b0c0", "code": 1}
BACKGROUND = {"name": "other", "color": "#000000", "code": 9, "role": "background"}
INPUT = {"scale": 0.5, "offset": 1.0, "mean": [200.0, 210.0, 220.0], "std": 40.0}


class Settings(SimpleNamespace):
    """Of a training, as its config has them."""

    def model_dump(self, mode: str, include: set[str]) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name in include}


def described(
    folder: Path, classes: list[dict[str, Any]], channels: int, **meta: Any
) -> tuple[dict[str, Path], list[str]]:
    """The files of a training with these classes, whose weights are drawn at random."""
    args = {"bands": 3, "classes": channels, "width": 4, "output_stride": 2}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_native("fcn", args).eval()
    stated = {"bands": ["red", "green", "blue"], "input": INPUT, "pixel_size": 10.0, "classes": classes, **meta}
    where = TrainingFiles(weights=folder / "net.safetensors")
    for path in (where.best, where.weights):
        save(path, network, ModelMeta(kind="fcn", args=args, **stated))
    where.card.write_text("# net")
    prepared: Any = SimpleNamespace(
        meta=ModelMeta(kind="fcn", args=args, **stated), network=network, training=Settings(window=70, rounds=3, seed=1)
    )
    lines: list[str] = []
    return {"weights": where.weights, **write_descriptions(prepared, where, lines.append)}, lines


def mask(folder: Path, path: Path, **model: Any) -> tuple[np.ndarray, list[Any], str]:
    """What a job makes of a description, its class table, and how its test image comes out."""
    if not (folder / "scene.tif").exists():
        scenes.scene(folder / "scene.tif", 96, 128)
    output = folder / f"{path.name}-{len(list(folder.iterdir()))}.zarr"
    made = prepare_job(
        config_of(
            {
                "source": {"path": str(folder / "scene.tif")},
                "model": {"path": str(path), **model},
                "output": {"path": str(output), "chunk": 64, "exports": [], "report": False},
                "execution": {"device": "cpu", "engine": "serial"},
            }
        )
    )
    with Progress() as progress:
        execute(made, progress)
    compared = compare_reference_image(made)
    rows = [(row.code, row.name, row.color, row.role) for row in made.spec.classes]
    return np.asarray(open_layer(output, 0, "mask")[...]), rows, "" if compared is None else compared.text


CASES = {
    "classes": ([LOW, HIGH], 2, {}),
    "one logit": ([LOW, HIGH], 1, {"output": {"threshold": 0.4}}),
    "side by side": ([BACKGROUND, LOW, HIGH], 2, {"output": {"multilabel": True, "threshold": [0.4, 0.6]}}),
}


@pytest.mark.nightly("training", after=1)
@pytest.mark.parametrize("case", CASES)
def test_each_description_gives_the_mask_of_the_weights(case: str, tmp_path: Path) -> None:
    classes, channels, meta = CASES[case]
    files, lines = described(tmp_path, classes, channels, **meta)
    assert lines == []
    expected, rows, _ = mask(tmp_path, files["weights"])
    assert len(np.unique(expected)) > 2
    for name, model in (("item", {}), ("item", {"kind": "torchscript"}), ("bioimage", {})):
        actual, others, text = mask(tmp_path, files[name], **model)
        assert (actual == expected).all(), (name, model)
        assert others == rows
        assert text.startswith("as the description says" if name == "bioimage" else "none")


def test_nothing_of_a_scene_is_in_the_test_image_and_files_are_named_as_they_lie(tmp_path: Path) -> None:
    files, _ = described(tmp_path, [LOW, HIGH], 2)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        *("net.safetensors", "net.card.md", "net.mlm.json", "net.bioimageio.yaml", "net.torchscript.pt"),
        *("net.test_input.npy", "net.test_output.npy"),
    }
    image = np.load(tmp_path / "net.test_input.npy")
    assert image.shape == (1, 3, 64, 64)
    normalised = (image * 0.5 + 1 - np.reshape(INPUT["mean"], (3, 1, 1))) / 40
    assert abs(normalised.mean()) < 0.05
    assert abs(normalised.std() - 1) < 0.05
    item = json.loads(files["item"].read_text())
    assert item["assets"]["weights"]["file:size"] == files["weights"].stat().st_size
    assert item["properties"]["mlm:input"][0]["value_scaling"][0] == {"type": "z-score", "mean": 398.0, "stddev": 80.0}
    document = yaml.safe_load(files["bioimage"].read_text())
    assert [step["id"] for step in document["inputs"][0]["preprocessing"]] == [
        "scale_linear",
        "fixed_zero_mean_unit_variance",
    ]
    assert "&" not in files["bioimage"].read_text()


def test_pixels_that_code_changed_are_described_by_the_name_of_the_code(tmp_path: Path) -> None:
    files, _ = described(tmp_path, [LOW, HIGH], 2, input={"mean": 1.0, "transform": "ratio.py:ratio"})
    assert sorted(files) == ["item", "torchscript", "weights"]
    with pytest.raises(ModelError, match=r"pre_processing_function ratio\.py:ratio \(python\) is code"):
        mask(tmp_path, files["item"])


def test_a_network_that_becomes_another_one_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = portable.build_native

    class Shifted(torch.nn.Module):
        """Adds one wherever it is not the network that was trained."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__()
            self.network = real(*arguments)
            self.unused = ()

        def state_dict(self, *arguments: Any, **options: Any) -> Any:
            return self.network.state_dict()

        def load_state_dict(self, state: Any, *arguments: Any, **options: Any) -> Any:
            return self.network.load_state_dict(state)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            returned: torch.Tensor = self.network(x)
            return returned + 1 if torch.jit.is_scripting() else returned

    monkeypatch.setattr(portable, "build_native", Shifted)
    files, lines = described(tmp_path, [LOW, HIGH], 2)
    assert sorted(files) == ["item", "weights"]
    assert lines[0].startswith("no TorchScript and no description of bioimage.io: TorchScript returns other numbers")
    assert not (tmp_path / "net.torchscript.pt").exists()
    assert list(json.loads(files["item"].read_text())["assets"]) == ["weights", "card"]


@pytest.mark.parametrize(("codes", "values"), [([5, 1], [5, 1]), ([1, 0], [0, 1]), ([None, None], [0, 1])])
def test_values_of_classes_are_codes_unless_they_would_be_read_as_channels(
    codes: list[int | None], values: list[int], tmp_path: Path
) -> None:
    rows = [{"name": name, **({} if code is None else {"code": code})} for name, code in zip("ab", codes, strict=True)]
    meta = ModelMeta(kind="fcn", args={"bands": 1, "classes": 2}, bands=["a"], classes=rows)
    (tmp_path / "w").write_bytes(b"x")
    model = TrainedModel(name="7", meta=meta, parameters=1, window=64)
    item = mlm_item(model, tmp_path / "w", tmp_path / "w", None, tmp_path / "card.md", {})
    assert [row["value"] for row in item["properties"]["mlm:output"][0]["classification:classes"]] == values
    assert item["properties"]["mlm:name"] == "fcn network"
    assert "network" not in item["assets"]
