"""What WSInfer says beside a script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import scenes
from tests.planning.first_config.first import planned, written


@pytest.mark.slow
def test_wsinfer_says_classes_size_and_normalisation_beside_the_script(folder: Path) -> None:
    said = {
        "architecture": "unet",
        "num_classes": 4,
        "class_names": ["1", "null", 'b "#"', "d: e"],
        "patch_size_pixels": 96,
        "spacing_um_px": 0.88,
        "transform": [
            {"name": "Resize", "arguments": {"size": 224}},
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": [0.7, 0.6, 0.5], "std": [0.2, 0.25, 0.3]}},
        ],
    }
    (folder / "config.json").write_text(json.dumps(said))
    scenes.unet(folder)
    made, config = written(folder, "unet.pt")
    assert [row.name for row in config.model.classes or ()] == said["class_names"]
    assert config.model.input is not None
    assert config.model.input.model_dump(exclude_none=True) == {
        "scale": pytest.approx(1 / 255),
        "offset": 0,
        "mean": [0.7, 0.6, 0.5],
        "std": [0.2, 0.25, 0.3],
        "size": 224,
    }
    assert "trained on 96 px at 0.88 µm per px, resized to 224 px: give it a scene of 0.377 µm per px" in made.text
    assert "as config.json beside it says, but of 8-bit images, and the scene is uint16" in made.text
    planned(config)


@pytest.mark.slow
def test_what_wsinfer_says_is_no_guess_on_a_scene_of_8_bits(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", (scenes.position(300, 200) % 256).astype("uint8"))
    said = {
        "class_names": ["a", "b", "c", "d"],
        "patch_size_pixels": 96,
        "spacing_um_px": 0.5,
        "transform": [{"name": "ToTensor"}],
    }
    (tmp_path / "config.json").write_text(json.dumps(said))
    scenes.unet(tmp_path)
    made = written(tmp_path, "unet.pt")[0]
    assert "GUESS" not in made.text.split("source:")[1]
    assert "trained at 0.5 µm per px" in made.text


@pytest.mark.slow
def test_another_programs_config_json_is_left_alone(folder: Path) -> None:
    scenes.unet(folder)
    for text in ("no json", "[1]", '{"model": 3}'):
        (folder / "config.json").write_text(text)
        assert "config.json" not in written(folder, "unet.pt")[0].text
