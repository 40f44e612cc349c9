"""First configs of networks of several inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ModelError
from pipeline.planning.contradictions import find_contradictions
from pipeline.planning.first_config.options import parse_inputs
from pipeline.planning.first_config.suggestion import UserHints, suggest
from tests import pairs
from tests.planning.first_config.first import planned


@pytest.fixture
def model(tmp_path: Path) -> Path:
    pairs.sections(tmp_path)
    pairs.scripted(tmp_path)
    return tmp_path / "pair.pt"


def suggested(model: Path, scene: str | None, **inputs: str) -> str:
    folder = model.parent
    paths = {name: str(folder / path) for name, path in inputs.items()}
    hints = UserHints(inputs=paths)
    return suggest(model, None if scene is None else str(folder / scene), folder, hints=hints).text


@pytest.mark.slow
def test_a_scene_and_the_source_of_the_other_input_make_a_config_that_passes_the_plan(model: Path) -> None:
    text = suggested(model, "image.tif", height="height.tif")
    (model.parent / "first.yaml").write_text(text)
    config = load_config(model.parent / "first.yaml")
    assert list(config.model.inputs) == ["image", "height"]
    assert planned(config).locality.verdict == "local"
    assert find_contradictions(config).paragraphs == []
    for words in (
        "path: image.tif  # given: SCENE",
        "path: height.tif  # given: --input height",
        "input height: 1 band",
    ):
        assert words in text


@pytest.mark.slow
def test_of_a_scene_with_more_bands_the_first_are_a_guess(model: Path) -> None:
    text = suggested(model, None, image="image.tif", height="image.tif")
    assert "bands: [1]  # GUESS: the first 1 of 3 bands" in text


@pytest.mark.parametrize(
    ("scene", "inputs", "words"),
    [
        ("image.tif", {"hight": "height.tif"}, "leaves image, height open"),
        (None, {"height": "height.tif"}, r"model\.inputs\.image: \{path: FILE\}"),
    ],
)
def test_inputs_that_are_not_the_networks_are_told(
    model: Path, scene: str | None, inputs: dict[str, str], words: str
) -> None:
    with pytest.raises((ConfigError, ModelError), match=words):
        suggested(model, scene, **inputs)


def test_an_input_is_a_name_and_a_path() -> None:
    assert parse_inputs(["a=b=c.tif", "d=e"]) == {"a": "b=c.tif", "d": "e"}
    for texts in (["a.tif"], ["=a.tif"], ["a="], ["a=b", "a=c"]):
        with pytest.raises(ConfigError, match=r"--input is .*NAME=PATH"):
            parse_inputs(texts)
