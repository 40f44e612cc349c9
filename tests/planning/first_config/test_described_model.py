"""A first config of a description needs nothing but its path."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.errors import ModelError
from pipeline.planning.contradictions.model_file import model_file_contradictions
from pipeline.planning.first_config.suggestion import suggest
from pipeline.sources import open_source
from pipeline.sources.band_tags import BandTags
from tests.models.descriptions.bioimage.packages import package, zipped
from tests.planning.first_config.first import written


def test_the_path_is_all_that_is_written_of_a_model(folder: Path) -> None:
    zipped(package(folder / "a"))
    made, config = written(folder, "a.zip")
    assert yaml.safe_load(made.text)["model"] == {"path": "a.zip"}
    assert made.todo == ()
    assert "3 bands → 1 channels; local, stride 1 px, radius 2 px" in made.text
    assert "network: model.output.activation: sigmoid, as the model's description has it" in made.text
    assert "WARNING" not in made.text
    tags = BandTags(names=("dapi", "tubulin", "actin"), all_names=("dapi", "tubulin", "actin"))
    coarse, order = model_file_contradictions(config.model, open_source(config.source), tags)
    assert "trained at 0.5 µm per px (its description)" in coarse
    assert "the network was trained on dapi, actin, tubulin, in that order. Set source.bands: [1, 3, 2]" in order


def test_a_description_without_steps_takes_pixels_as_they_are_and_nothing_is_guessed(folder: Path) -> None:
    package(folder / "a", before=[])
    made, config = written(folder, "a")
    assert config.model.input is None
    assert "GUESS" not in made.text.split("source:")[1]


def test_the_code_of_a_network_is_to_be_named(folder: Path) -> None:
    package(folder / "a", weights=("pytorch_state_dict",))
    made, config = written(folder, "a")
    assert made.todo[0].startswith("model.factory, which builds the network and is executed: net.py:make; name it by")
    assert config.model.input is None
    with pytest.raises(ModelError, match=r"--factory is net\.py:make, but .* has no weights for a network"):
        suggest(package(folder / "b"), str(folder / "scene.tif"), folder, "net.py:make")
