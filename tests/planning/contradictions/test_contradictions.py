"""What in a config contradicts its files is told, one by one, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from torch import nn
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.geometry.grid import Grid
from pipeline.geometry.ground import pixel_metres
from pipeline.models.architectures.fcn import FCN
from pipeline.models.weights import ModelMeta, save
from pipeline.planning.contradictions import find_contradictions
from tests import networks, scenes


def config(folder: Path, network: nn.Module | None = None, **sections: dict[str, Any]) -> Path:
    """A job of a small network, with which nothing is wrong."""
    path = scenes.script(network or networks.Pixelwise(), folder / "net.pt")
    model = {"path": str(path), **sections.pop("model", {})}
    return scenes.config(folder, model=model, **sections)


def told(path: Path) -> list[str]:
    return find_contradictions(load_config(path)).paragraphs


def test_a_config_that_fits_its_files_contradicts_nothing(tmp_path: Path) -> None:
    findings = find_contradictions(load_config(config(tmp_path)))
    assert findings.paragraphs == []
    assert findings.checked == ["source", "network", "classes and output", "values after model.input"]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"source": {"path": "gone.tif"}}, ["gone.tif, which does not exist"]),
        ({"source": {"bands": [1, 2, 9]}}, ["asks for band 9"]),
        ({"source": {"bands": [1, 2]}}, ["3 bands"]),
        ({"source": {"nodata": -9999}}, ["source.nodata is -9999, but", "uint16, from 0 to 65535", "Give a number"]),
        ({"source": {"nodata": None}}, ["source.nodata is null, but", "2,800 sampled pixels", "nodata: auto"]),
        ({"source": {"nodata": 7}}, ["source.nodata is 7, but", "has the nodata 0 in its tags"]),
        ({"source": {"scale_tags": True}}, ["source.scale_tags is true, but", "no scale"]),
        ({"model": {"classes": scenes.CLASSES[:3]}}, ["model.classes lists 3 classes, but", "returns 4 classes"]),
        ({"model": {"input": {"mean": [1, 2]}}}, ["model.input.mean has 2 values, but 3 bands"]),
        ({"model": {"input": {"mean": 0.5, "std": 0.2}}}, ["beyond 3 standard deviations", "model.input.scale too"]),
        ({"model": {"output": {"activation": "none"}}}, ["model.output.activation is none, which takes", "outside"]),
        ({"model": {"kind": "exported"}}, ["net.pt"]),
        ({"output": {"nodata": 2}}, ["output.nodata is 2, which is also the code of a class"]),
    ],
)
def test_each_contradiction_is_a_paragraph(tmp_path: Path, sections: dict[str, Any], words: list[str]) -> None:
    paragraphs = told(config(tmp_path, **sections))
    matching = [text for text in paragraphs if all(word in text for word in words)]
    assert len(matching) == 1, paragraphs
    assert "\n" not in matching[0]


def test_nodata_that_no_pixel_has_is_no_contradiction(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", scenes.position(200, 200), nodata=0)
    model = {"input": {"mean": 400, "std": 400}}
    assert told(config(tmp_path, source={"nodata": None}, model=model)) == []


def test_several_are_told_at_once_and_what_cannot_be_opened_hides_no_other(tmp_path: Path) -> None:
    sections = {
        "source": {"nodata": -1, "aoi": str(tmp_path / "gone.geojson")},
        "model": {"classes": scenes.CLASSES[:2]},
    }
    paragraphs = told(config(tmp_path, **sections))
    for word in ("source.nodata is -1", "gone.geojson", "lists 2 classes"):
        assert [text for text in paragraphs if word in text], word


@pytest.mark.parametrize(("end", "given"), [(nn.Softmax(1), "softmax"), (nn.Sigmoid(), "sigmoid")])
def test_an_activation_that_the_network_has_already_would_be_taken_twice(
    tmp_path: Path, end: nn.Module, given: str
) -> None:
    net = nn.Sequential(networks.Pixelwise(), end)
    path = config(tmp_path, net, model={"output": {"activation": given}})
    (paragraph,) = told(path)
    assert f"model.output.activation is {given}, but the network's graph ends in a {given}" in paragraph
    assert told(config(tmp_path, net, model={"output": {"activation": "none"}})) == []


def test_a_file_of_ours_is_believed_over_the_config(tmp_path: Path) -> None:
    args = {"bands": 3, "classes": 3, "width": 4}
    torch.manual_seed(0)
    meta = ModelMeta(
        kind="fcn",
        args=args,
        bands=["red", "green", "blue"],
        input={"mean": [500.0, 500.0, 500.0], "std": 200.0},
        classes=[{"name": name} for name in "abc"],
    )
    save(tmp_path / "ours.safetensors", networks.lively(FCN(**args)), meta)
    scenes.scene(tmp_path / "scene.tif")
    with rasterio.open(tmp_path / "scene.tif", "r+") as dataset:
        dataset.descriptions = ("Blue", "Green", "Red")
    classes = [{"name": name} for name in "bac"]
    ours = {"kind": None, "path": str(tmp_path / "ours.safetensors"), "classes": classes}
    paragraphs = told(scenes.config(tmp_path, model={**ours, "input": {"mean": 490.0, "std": [200.0, 200.0, 200.0]}}))
    assert len(paragraphs) == 3
    for words in (
        "model.input.mean is 490.0, but",
        "lists b, a, c, but",
        "reads Blue, Green, Red, but the network was trained on red, green, blue",
        "in that order. Set source.bands: [3, 2, 1].",
    ):
        assert [text for text in paragraphs if words in text], words
    right = {**ours, "classes": [{"name": name} for name in "abc"], "input": {"mean": 500.0}}
    assert told(scenes.config(tmp_path, model=right, source={"bands": [3, 2, 1]})) == []


def test_pixels_of_another_size_than_the_trainings_are_told(tmp_path: Path) -> None:
    facts = {"class_names": list("abcd"), "patch_size_pixels": 100, "spacing_um_px": 0.5}
    path = config(tmp_path, model={"classes": scenes.CLASSES})
    (tmp_path / "config.json").write_text(json.dumps(facts))
    (paragraph,) = told(path)
    assert "sees pixels that are 10 m wide, but the network was trained at 0.5 µm per px" in paragraph


def test_a_network_of_one_size_is_told_of_another(tmp_path: Path) -> None:
    traced = torch.jit.trace(Ramp().eval(), torch.zeros(1, 3, 96, 96))
    traced.save(str(tmp_path / "fixed.pt"))
    model = {"path": str(tmp_path / "fixed.pt"), "input": {"mean": 500, "std": 200, "size": 128}}
    paragraphs = told(scenes.config(tmp_path, model=model, tile={"size": 256}))
    assert [text.partition(",")[0] for text in paragraphs] == ["model.input.size is 128 px", "tile.size is 256 px"]
    assert all("96" in text for text in paragraphs)


class Ramp(nn.Module):
    """Takes 96 px only."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 1)
        self.register_buffer("ramp", torch.zeros(1, 4, 96, 96))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x) + self.ramp


def test_the_files_own_scale_is_named_where_numbers_do_not_fit(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif")
    with rasterio.open(tmp_path / "scene.tif", "r+") as dataset:
        dataset.scales = (0.001,) * 3
    (paragraph,) = told(config(tmp_path, model={"input": {"mean": 0.5, "std": 0.2}}))
    assert "have the scale 0.001; source.scale_tags: true applies it" in paragraph
    made = config(tmp_path, model={"input": {"mean": 0.5, "std": 0.2}}, source={"scale_tags": True})
    assert told(made) == []


def test_a_raster_without_a_valid_pixel_is_told(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", np.zeros((3, 100, 100), np.uint16), nodata=0)
    (paragraph,) = told(config(tmp_path))
    assert "no pixel that was sampled of the raster is valid" in paragraph


def test_the_command_ends_with_2_where_something_contradicts_and_with_0_otherwise(tmp_path: Path) -> None:
    right = CliRunner().invoke(app, ["init", "--check", str(config(tmp_path))])
    assert (right.exit_code, "nothing contradicts the files" in right.output) == (0, True)
    wrong = CliRunner().invoke(
        app, ["init", "--check", str(config(tmp_path, source={"nodata": -1}, model={"classes": scenes.CLASSES[:2]}))]
    )
    assert wrong.exit_code == 2
    assert "2 to mend" in wrong.output
    assert wrong.output.count("\n\n") == 2
    for args, words in (
        (["a.pt"], "MODEL and SCENE"),
        (["--check", "a.yaml", "--out", "b.yaml"], "--out has no use"),
    ):
        done = CliRunner().invoke(app, ["init", *args])
        assert words in str(done.exception)


def test_a_pixel_is_as_wide_as_its_unit_says() -> None:
    def grid(size: float, code: str | None, unit: Any = "crs", top: float = 0.0) -> Grid:
        wkt = None if code is None else rasterio.CRS.from_string(code).to_wkt()
        return Grid(height=2, width=2, transform=(size, 0, 0, 0, -size, top), wkt=wkt, unit=unit)

    assert pixel_metres(grid(10, "EPSG:32633")) == 10
    assert pixel_metres(grid(10, "EPSG:2263")) == pytest.approx(3.048, rel=1e-4)
    assert pixel_metres(grid(0.5, None, "um")) == 0.5e-6
    assert pixel_metres(grid(1, None, "px")) is None
    assert pixel_metres(grid(0.001, "EPSG:4326", top=60)) == pytest.approx(55.7, abs=0.1)
