"""What is typed beside a model and a scene, and what `init` makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from pipeline.errors import ConfigError, ModelError
from pipeline.planning.first_config.options import parse_arguments, parse_bands
from pipeline.planning.first_config.suggestion import UserHints, suggest
from tests import runs, scenes

MAKE = """from torch import nn


def make(width, classes):
    return nn.Sequential(nn.Conv2d(2, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, classes, 1))
"""


@pytest.mark.parametrize(
    "given",
    [
        ['{"width": 7, "classes": 3}'],
        ["{width: 7, classes: 3}"],
        ["width=7,classes=3"],
        ["width=7", "classes=3"],
        ["{width: 7}", "classes=3"],
    ],
)
def test_arguments_are_json_or_pairs(given: list[str]) -> None:
    assert parse_arguments(given) == {"width": 7, "classes": 3}


@pytest.mark.parametrize("given", [["4,red"], ["[4, red]"], ["4", "red"], ["4 red"]])
def test_bands_are_numbers_or_names(given: list[str]) -> None:
    assert parse_bands(given) == [4, "red"]


@pytest.mark.parametrize(
    ("read", "given"),
    [
        (parse_arguments, "7"),
        (parse_arguments, "{width: "),
        (parse_arguments, "[1]"),
        (parse_arguments, "=3"),
        (parse_bands, "0"),
        (parse_bands, ""),
    ],
)
def test_what_is_neither_is_told(read: Any, given: str) -> None:
    with pytest.raises(ConfigError, match=r"--(args|bands) is "):
        read([given])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = np.random.default_rng(0).uniform(-1, 1, (5, 60, 70)).astype("float32")
    scenes.write(tmp_path / "scene.tif", data)
    (tmp_path / "sized.py").write_text(MAKE)
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    exec(MAKE, names)
    torch.save(names["make"](7, 3).state_dict(), tmp_path / "sized.pth")
    return tmp_path


def first(folder: Path, **wishes: Any) -> str:
    return suggest(
        folder / "sized.pth", str(folder / "scene.tif"), folder, f"{folder}/sized.py:make", UserHints(**wishes)
    ).text


@pytest.mark.slow
def test_a_factory_with_arguments_and_bands_gives_a_config_that_runs(folder: Path) -> None:
    (folder / "job.yaml").write_text(first(folder, args={"width": 7, "classes": 3}, bands=[4, 2]))
    said = yaml.safe_load((folder / "job.yaml").read_text())
    assert (said["source"]["bands"], said["model"]["args"]) == ([4, 2], {"width": 7, "classes": 3})
    assert "GUESS: the network takes" not in (folder / "job.yaml").read_text()
    assert runs.go(folder / "job.yaml").complete


def test_bands_that_do_not_fit_are_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"--bands names 3 bands, but MODEL .* takes 2"):
        first(folder, args={"width": 7, "classes": 3}, bands=[4, 2, 1])


def test_arguments_of_what_takes_none_are_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"--args .* takes none"):
        suggest(scenes.unet(folder), str(folder / "scene.tif"), folder, None, UserHints(args={"width": 7}))


class Two(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x[:, :2], x[:, :3] - 1


def test_the_output_that_is_named_is_looked_at_and_written(folder: Path) -> None:
    path = scenes.script(Two(), folder / "two.pt")
    text = suggest(path, str(folder / "scene.tif"), folder, None, UserHints(key="1")).text
    said = yaml.safe_load(text)
    assert said["model"]["output"]["key"] == "1"
    assert len(said["model"]["classes"]) == 3
