"""A model that is described by MLM runs by its path alone, and equals the network on the whole image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from pipeline.config.load import config_of
from pipeline.errors import BandsError, ModelError, StoreError
from pipeline.planning.contradictions.model_file import model_file_contradictions
from pipeline.planning.first_config.suggestion import suggest
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from pipeline.sources import open_source
from pipeline.sources.band_tags import BandTags
from pipeline.store.lifecycle import open_layer
from tests import scenes
from tests.models.descriptions.mlm import described
from tests.models.descriptions.mlm.described import item, network, program, properties

MEAN, STD = np.array([400, 500, 600]), np.array([200, 300, 100])


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


def expected_mask(raster: Path) -> tuple[np.ndarray, np.ndarray]:
    """The classes of the whole image in one pass, and where it is valid."""
    pixels = scenes.read(raster).astype("float32")
    valid = pixels[0] > 0
    normalised = ((pixels - MEAN[:, None, None]) / STD[:, None, None]) * valid
    with torch.inference_mode():
        return network()(torch.from_numpy(normalised[None]).float())[0].argmax(0).numpy(), valid


def run(made: Job) -> np.ndarray:
    with Progress() as progress:
        execute(made, progress)
    return np.asarray(open_layer(made.config.output.path, 0, "mask")[...])


def test_an_archive_with_metadata_runs_by_its_path_as_the_network_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "fields.pt2"
    metadata = yaml.safe_dump({"properties": properties()})
    torch.export.save(program(network()), path, extra_files={"mlm-metadata": metadata})
    mask = run(job(tmp_path, path))
    expected, valid = expected_mask(tmp_path / "scene.tif")
    assert np.array_equal(mask[valid], expected[valid])
    assert len(np.unique(expected[valid])) == 2
    text = "\n".join(sentence for _, sentence in plan_rows(job(tmp_path, path)))
    assert "fields (Twice), by fields/extra/mlm-metadata in " in text
    assert "model.input.mean: [400, 500, 600], as the model's description has it" in text
    assert "model.classes: soil, field, as the model's description lists them" in text


@pytest.mark.nightly("networks", after=1)
@pytest.mark.parametrize("kind", ["torchscript", "onnx"])
def test_an_item_of_a_catalogue_runs_as_the_network_by_itself(kind: str, tmp_path: Path) -> None:
    rows = [{"value": 40, "name": "soil", "color_hint": "a6611a"}, {"value": 30, "name": "field"}]
    path = item(tmp_path / "a", (kind,), stated={"answer": {"classification:classes": rows}})
    made = job(tmp_path, path)
    assert [(row.code, row.name) for row in made.spec.classes] == [(40, "soil"), (30, "field")]
    assert made.spec.classes[0].color == "#a6611a"
    mask = run(made)
    expected, valid = expected_mask(tmp_path / "scene.tif")
    assert (mask[valid] == np.where(expected == 0, 40, 30)[valid]).mean() > 0.9999
    described.item(tmp_path / "a", stated={"answer": {"classification:classes": rows[::-1]}})
    with pytest.raises(StoreError, match="classes"):
        job(tmp_path, path)


@pytest.mark.parametrize("classes", [None, [{"name": "land", "color": "#a6611a"}, {"name": "crop"}]])
def test_classes_of_a_description_are_the_channels_that_a_map_adds_up(classes: Any, tmp_path: Path) -> None:
    output = {"map": {"land": ["soil"], "crop": ["field"]}}
    made = job(tmp_path, item(tmp_path / "a"), output=output, classes=classes)
    assert [row.name for row in made.spec.classes] == ["land", "crop"]
    text = "\n".join(sentence for _, sentence in plan_rows(made))
    assert "model.channels: soil, field, as the model's description names them" in text
    assert "model.classes: " not in text


def test_control_characters_of_a_description_do_not_reach_the_plan(tmp_path: Path) -> None:
    path = item(tmp_path / "a", stated={"name": "red\x1b[31m\nexecution: {}"})
    sentences = [sentence for _, sentence in plan_rows(job(tmp_path, path))]
    assert any("red [31m execution: {} (" in sentence for sentence in sentences)
    assert all(letter.isprintable() or letter == "\n" for sentence in sentences for letter in sentence)


@pytest.mark.parametrize("content", ["", "{}", "null", '{"type": ', "[" * 50_000])
def test_a_document_that_describes_nothing_is_named_as_such(content: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(content)
    with pytest.raises(ModelError, match=r"is none of the descriptions that are read: rdf\.yaml"):
        job(tmp_path, path)


def test_init_writes_nothing_but_the_path_and_bands_are_compared_by_name(tmp_path: Path) -> None:
    described.item(tmp_path / "a")
    scenes.scene(tmp_path / "scene.tif", 96, 128)
    made = suggest(tmp_path / "a" / "fields.json", str(tmp_path / "scene.tif"), tmp_path)
    assert yaml.safe_load(made.text)["model"] == {"path": "a/fields.json"}
    assert made.todo == ()
    assert "a model that is described as those of MLM are" in made.text
    config = config_of({**yaml.safe_load(made.text), "model": {"path": str(tmp_path / "a" / "fields.json")}})
    source = open_source(
        config_of({**yaml.safe_load(made.text), "source": {"path": str(tmp_path / "scene.tif")}}).source
    )
    names = ("nir", "red", "green")
    (order,) = model_file_contradictions(config.model, source, BandTags(names=names, all_names=names))
    assert "the network was trained on red, green, nir, in that order. Set source.bands: [2, 3, 1]" in order
    assert not (tmp_path / "a.zarr").exists()


def test_another_number_of_bands_is_told_with_the_names_of_the_description(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", scenes.position(96, 128, bands=2))
    with pytest.raises(BandsError, match=r"2 bands are read, but .* describes a network of 3 \(red, green, nir\)"):
        job(tmp_path, described.archive(tmp_path / "net.pt2"))
