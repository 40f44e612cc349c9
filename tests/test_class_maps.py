"""Classes of a store that are sums of the network's, and probabilities of another temperature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
import zarr

from pipeline.config.load import load_config
from pipeline.errors import PipelineError
from pipeline.inference import decode
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.models.probabilities import activated
from pipeline.planning.freeze import freeze
from pipeline.planning.plan_rows import plan_rows
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import prepare_job
from pipeline.store.respec import read_spec
from tests import networks, runs, scenes

FOREST = {"forest": [1, 2], "other": "rest"}


def job(folder: Path, class_map: Any = None, name: str = "job", **model: Any) -> Path:
    """A network of four classes that looks 2 px far, so that probabilities of the whole are had at once."""
    if not (folder / "scene.tif").exists():
        scenes.scene(folder / "scene.tif", 98, 130)
    file = folder / "net.pt"
    if not file.exists():
        with torch.random.fork_rng():
            torch.manual_seed(3)
            scenes.script(networks.lively(networks.Twice()), file)
    output = {**({} if class_map is None else {"map": class_map}), **model.pop("output", {})}
    sections = {"path": str(file), "classes": None, "output": output, **model}
    layers = {"layers": ["mask", "probabilities"], "probabilities_dtype": "float16"}
    return scenes.config(folder, name, model=sections, output=layers)


def probabilities(folder: Path, temperature: float = 1) -> np.ndarray:
    """(classes, rows, cols) of one pass over the whole raster, NaN where invalid."""
    raw = scenes.read(folder / "scene.tif")
    valid = (raw != 0).any(0)
    with torch.no_grad():
        logits = torch.jit.load(folder / "net.pt")(torch.from_numpy((raw - 500) / 200 * valid)[None])[0]
    return np.where(valid, torch.softmax(logits / temperature, 0).numpy(), np.nan)


def stored(folder: Path, layer: str, name: str = "job") -> np.ndarray:
    return np.asarray(zarr.open_array(folder / f"{name}.zarr" / "0" / layer)[:])


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(PipelineError) as error:
        prepare_job(load_config(path, list(overrides)))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_probabilities_are_added_up_before_the_likeliest_class_is_taken(tmp_path: Path) -> None:
    path = job(tmp_path, FOREST)
    runs.go(path)
    p = probabilities(tmp_path)
    sums = np.stack([p[1] + p[2], p[0] + p[3]])
    valid = ~np.isnan(p[0])
    np.testing.assert_allclose(stored(tmp_path, "probabilities"), sums, atol=6e-4)
    mask = stored(tmp_path, "mask")
    clear = valid & (np.abs(sums[0] - sums[1]) > 1e-5)
    np.testing.assert_array_equal(mask[clear], sums.argmax(0)[clear])
    of_labels = np.isin(np.nan_to_num(p).argmax(0), (0, 3)).astype(int)
    assert (of_labels != mask)[clear].any(), "a map of labels would say the same"
    assert [(row.code, row.name) for row in read_spec(tmp_path / "job.zarr").classes] == [(0, "forest"), (1, "other")]
    assert verify(job_of(tmp_path / "job.zarr", []), lambda _: None, windows=2)["passed"]
    assert ("output", "probabilities are added up over channels: forest of 1, 2; other of 0, 3") in plan_rows(
        prepare_job(load_config(path))
    )


def test_names_codes_and_colours_are_those_of_the_config(tmp_path: Path) -> None:
    classes = [{"name": "other", "code": 9}, {"name": "forest", "code": 4, "color": "#1b9e77"}]
    by_name = {"forest": ["oak", "fir"], "other": "rest"}
    path = job(tmp_path, by_name, classes=classes, channels=["road", "oak", "fir", "lake"])
    assert prepare_job(load_config(path, ["output.layers=[mask, values]"])).spec.values.channels == ("other", "forest")
    runs.go(path)
    p = probabilities(tmp_path)
    expected = np.where(np.isnan(p[0]), 255, np.where(p[1] + p[2] > 0.5, 4, 9))
    assert (stored(tmp_path, "mask") != expected).mean() < 1e-3
    np.testing.assert_allclose(stored(tmp_path, "probabilities")[0], p[0] + p[3], atol=6e-4)
    forest = read_spec(tmp_path / "job.zarr").classes[1]
    assert (forest.name, forest.code, forest.color) == ("forest", 4, "#1b9e77")


def test_another_map_is_another_job_and_another_name_is_none(tmp_path: Path) -> None:
    runs.go(job(tmp_path, FOREST))
    assert "model.output.map was [[1, 2], [0, 3]] and is now [[1], [0, 2, 3]]" in refusal(
        job(tmp_path, {"forest": [1], "other": "rest"})
    )
    assert prepare_job(load_config(job(tmp_path, {"birch": [2, 1], "other": [0, 3]}))).resumes


def test_a_frozen_plan_has_the_map_and_the_activation_of_the_network(tmp_path: Path) -> None:
    path = job(tmp_path, FOREST, output={"temperature": 2})
    file = freeze(prepare_job(load_config(path)), path, tmp_path / "frozen.yaml")
    assert yaml.safe_load(file.read_text())["model"]["output"] == {
        "map": FOREST,
        "temperature": 2.0,
        "activation": "softmax",
    }
    runs.go(file)
    p = probabilities(tmp_path, temperature=2)
    np.testing.assert_allclose(stored(tmp_path, "probabilities")[0], p[1] + p[2], atol=6e-4)


@pytest.mark.parametrize(
    ("class_map", "overrides", "reason"),
    [
        ({"a": [1, 7], "b": "rest"}, [], "map.a names channel 7, but the network returns 4 channels, 0 to 3"),
        ({"a": [1, "oak"], "b": "rest"}, [], "none of them has a name: see model.channels"),
        ({"a": [1], "b": [2]}, [], "leaves out 0, 3 of the network's 4 channels"),
        ({"a": [0, 1], "b": [2, 3], "c": "rest"}, [], "the others name all 4 channels"),
        ({"a": [1], "b": [1]}, [], "1 stands in it more than once"),
        ({"a": [True], "b": "rest"}, [], "model.output.map.a.0 is True"),
        ({"a": [-1], "b": "rest"}, [], "model.output.map.a.0 is -1"),
        ({"a": 0, "b": "rest"}, [], "model.output.map.a is 0: input should be a list"),
        ({"a": [0]}, [], "it has to have at least 2 items, not 1"),
        (FOREST, ["model.output.multilabel=true"], "hold side by side"),
        (FOREST, ["model.classes=[{name: forest}, {name: water}]"], "makes the classes forest, other"),
        (FOREST, ["output.layers=[values]", "output.probabilities_dtype=uint8"], "output.layers has no mask"),
        (None, ["model.output.activation=none", "model.output.temperature=2"], "model.output.temperature is 2"),
        (None, ["model.output.temperature=0"], "model.output.temperature is 0"),
    ],
)
def test_what_cannot_be_is_refused_in_a_paragraph(
    tmp_path: Path, class_map: Any, overrides: list[str], reason: str
) -> None:
    assert reason in refusal(job(tmp_path, class_map), *overrides)


def test_a_temperature_changes_probabilities_and_no_label(tmp_path: Path) -> None:
    for name, temperature in (("plain", 1.0), ("warm", 2.5)):
        runs.go(job(tmp_path, name=name, output={"temperature": temperature}))
    np.testing.assert_array_equal(stored(tmp_path, "mask", "warm"), stored(tmp_path, "mask", "plain"))
    expected = probabilities(tmp_path, 2.5)
    np.testing.assert_allclose(stored(tmp_path, "probabilities", "warm"), expected, atol=6e-4)
    assert "model.output.temperature was 1.0 and is now 2.5" in refusal(
        job(tmp_path, name="plain", output={"temperature": 2.5})
    )


def test_a_temperature_divides_logits_before_each_activation() -> None:
    logits = torch.tensor([[[2.0]], [[-1.0]]])
    torch.testing.assert_close(activated(logits, "softmax", 2.0), torch.softmax(logits / 2, 0))
    torch.testing.assert_close(activated(logits, "sigmoid", 0.5), torch.sigmoid(2 * logits))
    assert activated(logits, "none", 2.0) is logits
    how = ClassDecoding(activation="sigmoid", threshold=0.8, codes=(0, 1), temperature=4.0)
    assert decode.class_indices(logits[:1], how).item() == 0  # sigmoid(2 / 4) = 0.62, and sigmoid(2) = 0.88
