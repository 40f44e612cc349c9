"""First configs: what files say is written down, what is guessed is marked, and the whole runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import xarray
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ModelError
from pipeline.models.architectures.fcn import FCN
from pipeline.models.architectures.fcn8s import FCN8s
from pipeline.models.loaded import Loaded
from pipeline.models.weights import ModelMeta, save
from pipeline.planning.contradictions import find_contradictions
from pipeline.planning.first_config.suggestion import suggest
from pipeline.preview.preview import PreviewRequest, make_preview
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from tests import networks, scenes
from tests.commands import wholecloth
from tests.planning.first_config.first import planned, written


@pytest.mark.slow
def test_a_script_and_a_scene_make_a_config_that_passes_the_plan(folder: Path) -> None:
    scenes.unet(folder)
    made, config = written(folder, "unet.pt")
    assert made.todo == ()
    assert planned(config).locality.verdict == "local"
    assert (config.model.kind, config.model.path, config.source.path) == (
        "torchscript",
        folder / "unet.pt",
        str(folder / "scene.tif"),
    )
    assert [row.name for row in config.model.classes or ()] == ["class0", "class1", "class2", "class3"]
    assert config.source.bands is None
    assert config.model.output.activation == "auto"
    assert config.output.path == folder / "out" / "scene.zarr"
    for words in (
        "300 × 420 px of 10 units of EPSG:32633 per px, 3 bands of uint16",
        "local, stride 4 px, radius 11 px: tiles will equal the whole",
        "GUESS: the network returns 4 channels",
    ):
        assert words in made.text


def as_script(folder: Path) -> str:
    return scenes.unet(folder).name


def as_program(folder: Path) -> str:
    dims = {axis: 4 * torch.export.Dim(f"quarter{axis}", min=2, max=4096) for axis in (2, 3)}
    return networks.export(networks.lively(networks.UNet()), folder / "unet.pt2", (1, 3, 64, 64), dims).name


def as_file_of_ours(folder: Path) -> str:
    args = {"bands": 3, "classes": 4, "width": 4, "fc_kernel": 3, "fc_width": 4}
    save(folder / "a.safetensors", networks.lively(FCN8s(**args)), ModelMeta(kind="fcn8s", args=args))  # type: ignore[arg-type]
    return "a.safetensors"


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("make", [as_script, as_program, as_file_of_ours])
def test_a_job_succeeds_with_what_was_written(make: Callable[[Path], str], folder: Path) -> None:
    made, config = written(folder, make(folder))
    assert made.todo == ()
    with Progress() as progress:
        report = execute(planned(config), progress)
    assert report.complete
    mask = xarray.open_zarr(folder / "out" / "scene.zarr", group="0", consolidated=False)["mask"].values
    valid = (scenes.read(folder / "scene.tif") != 0).any(0)
    assert (mask[valid] < 4).all()
    assert (mask[~valid] == 255).all()


@pytest.mark.slow
def test_a_network_of_fewer_bands_takes_the_first_and_says_that_this_is_a_guess(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", scenes.position(300, 200, 4))
    scenes.unet(tmp_path)
    made, config = written(tmp_path, "unet.pt")
    assert config.source.bands == [1, 2, 3]
    assert "GUESS: the network takes 3 bands and the scene has 4" in made.text
    assert planned(config).source.bands == 3


def test_a_program_of_fewer_bands_does_so_too(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", scenes.position(300, 200, 4))
    networks.export(networks.Twice(), tmp_path / "a.pt2", (1, 3, 64, 64))
    assert written(tmp_path, "a.pt2")[1].source.bands == [1, 2, 3]


def test_a_network_of_more_bands_than_there_are_is_refused(folder: Path) -> None:
    scenes.script(networks.Twice(5), folder / "a.pt")
    with pytest.raises(ModelError, match=r"MODEL .*a\.pt takes 5 bands, but SCENE .*scene\.tif has 3\. Give a scene"):
        written(folder, "a.pt")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "activation", "words"),
    [
        (nn.Softmax(1), "none", "ends in a softmax"),
        (nn.Sigmoid(), "none", "add multilabel: true"),
        (nn.ReLU(), "auto", "GUESS"),
    ],
)
def test_a_network_that_returns_probabilities_is_known_by_them(
    end: nn.Module, activation: str, words: str, folder: Path
) -> None:
    scenes.script(nn.Sequential(networks.Twice(), end), folder / "a.pt")
    made, config = written(folder, "a.pt")
    assert config.model.output.activation == activation
    assert words in made.text


@pytest.mark.slow
def test_one_channel_means_two_classes(folder: Path) -> None:
    scenes.script(networks.Twice(3, 1), folder / "a.pt")
    config = written(folder, "a.pt")[1]
    assert len(config.model.classes or ()) == 2
    planned(config)


@pytest.mark.slow
def test_a_network_that_is_not_local_is_told_so(folder: Path) -> None:
    scenes.script(networks.lively(networks.InstanceNormed()), folder / "a.pt")
    made, config = written(folder, "a.pt")
    assert "not local, stride 1 px, no bound to its radius: tiles are blended, because of" in made.text
    planned(config)


@pytest.mark.slow
def test_a_file_of_ours_leaves_nothing_to_guess(folder: Path) -> None:
    args = {"bands": 2, "classes": 3, "width": 4, "fc_kernel": 3, "fc_width": 4}
    network = networks.lively(FCN8s(**args), 2)  # type: ignore[arg-type]
    classes = [{"name": name} for name in "abc"]
    save(
        folder / "a.safetensors",
        network,
        ModelMeta(kind="fcn8s", args=args, bands=["red", "nir"], input={"scale": 0.1}, classes=classes),
    )
    made, config = written(folder, "a.safetensors")
    assert config.model.model_fields_set == {"path"}
    assert config.source.bands == [1, 2]
    assert "its bands, in order: red, nir" in made.text
    assert "it says itself: kind, normalisation, classes" in made.text
    assert [row.name for row in planned(config).spec.classes] == ["a", "b", "c"]


@pytest.mark.slow
def test_a_file_of_ours_that_was_taught_with_code_asks_for_its_path(folder: Path) -> None:
    args = {"bands": 1, "classes": 2, "width": 4}
    meta = ModelMeta(
        kind="fcn",
        args=args,
        bands=["red", "green", "blue"],
        input={"mean": [0.5], "transform": "raw.py:ratio"},
        classes=[{"name": "a"}, {"name": "b"}],
    )
    save(folder / "ours.safetensors", FCN(**args), meta)
    made, config = written(folder, "ours.safetensors")
    assert made.todo[0].startswith("model.input.transform: ")
    assert any("raw.py:ratio" in line and "TO ADD" in line for line in made.text.splitlines())
    assert config.model.input is not None
    assert config.model.input.transform == f"{folder}/raw.py:ratio"
    (folder / "raw.py").write_text("def ratio(x):\n    return (x[1] / (x[0] + 1))[None]\n")
    assert planned(config).locality.bands == 1


@pytest.mark.slow
def test_what_a_file_of_ours_leaves_open_is_guessed(folder: Path) -> None:
    args = {"bands": 3, "classes": 4, "width": 4, "fc_kernel": 3, "fc_width": 4}
    save(folder / "a.safetensors", networks.lively(FCN8s(**args)), ModelMeta(kind="fcn8s", args=args))  # type: ignore[arg-type]
    config = written(folder, "a.safetensors")[1]
    assert config.model.model_fields_set == {"path", "classes", "input"}
    planned(config)


def test_a_file_of_ours_of_more_bands_than_there_are_is_refused(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", scenes.position(300, 200, 2))
    args = {"bands": 3, "classes": 4, "width": 4, "fc_kernel": 3, "fc_width": 4}
    save(tmp_path / "a.safetensors", FCN8s(**args), ModelMeta(kind="fcn8s", args=args))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"takes 3 bands, but SCENE .* has 2"):
        written(tmp_path, "a.safetensors")


@pytest.mark.slow
@pytest.mark.nightly("networks", after=1)
@pytest.mark.parametrize("bands", [3, 4])
def test_a_classifier_of_whole_images_is_told_from_a_network_of_maps(bands: int, tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", scenes.position(300, 200, bands))
    scenes.script(
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)), tmp_path / "a.pt"
    )
    with pytest.raises(ModelError, match=r"^The network returned a tensor of shape \(1, 2\).*model\.kind: classifier"):
        written(tmp_path, "a.pt")


@pytest.mark.slow
def test_a_program_that_takes_large_images_is_looked_at_on_a_small_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks.export(
        networks.Twice(),
        folder / "a.pt2",
        (1, 3, 64, 64),
        {axis: 2 * torch.export.Dim(f"half{axis}", min=8, max=4096) for axis in (2, 3)},
    )
    seen, run = [], Loaded.__call__
    monkeypatch.setattr(Loaded, "__call__", lambda network, x: seen.append(x[0, 0].numel()) or run(network, x))
    written(folder, "a.pt2")
    assert max(seen) < 2**20


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [("gone.pt", None, "does not exist"), ("a.pt", b"", "an empty file"), ("a.pt", b"noise" * 9, "not")],
)
def test_what_is_no_network_is_refused(name: str, data: bytes | None, words: str, folder: Path) -> None:
    if data is not None:
        (folder / name).write_bytes(data)
    with pytest.raises(ModelError, match=words):
        written(folder, name)


def test_paths_are_relative_to_where_the_config_lies(folder: Path) -> None:
    scenes.unet(folder)
    below = folder / "jobs"
    below.mkdir()
    text = suggest(folder / "unet.pt", str(folder / "scene.tif"), below).text
    assert "path: ../unet.pt" in text
    (below / "first.yaml").write_text(text)
    assert load_config(below / "first.yaml").source.path == str(folder / "scene.tif")
    assert (
        f"path: {folder / 'scene.tif'}" in suggest(folder / "unet.pt", str(folder / "scene.tif"), Path("/a/b/c/d")).text
    )


@pytest.mark.slow
def test_the_command_prints_or_writes_and_never_overwrites_unasked(folder: Path) -> None:
    scenes.unet(folder)

    def init(*more: str) -> subprocess.CompletedProcess[str]:
        return wholecloth("init", "unet.pt", "scene.tif", *more, cwd=folder)

    printed = init()
    assert printed.returncode == 0, printed.stderr
    assert "path: unet.pt" in printed.stdout
    done = init("--out", "first.yaml")
    assert (done.returncode, done.stdout) == (0, "config: first.yaml\n")
    assert (folder / "first.yaml").read_text() == printed.stdout
    (folder / "first.yaml").write_text("mine")
    again = init("--out", "first.yaml")
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert (folder / "first.yaml").read_text() == "mine"
    assert init("--out", "first.yaml", "--force").returncode == 0
    assert (folder / "first.yaml").read_text() == printed.stdout
    nowhere = init("--out", "gone/first.yaml")
    assert nowhere.returncode == 2
    assert "gone/first.yaml, which cannot be written" in nowhere.stderr


KEY_LINE = re.compile(r"^ +(?:- )?\w+:")


@pytest.mark.slow
@pytest.mark.parametrize("make", [as_script, as_file_of_ours])
def test_beside_each_line_stands_where_it_comes_from(make: Callable[[Path], str], folder: Path) -> None:
    made, _ = written(folder, make(folder))
    lines = [line for line in made.text.splitlines() if KEY_LINE.match(line)]
    assert len(lines) >= 8
    origins = ("given:", "the model's file", "the file", "default", "measured", "GUESS", "as ", "the network's graph")
    for line in lines:
        assert line.partition("  # ")[2].startswith(origins), line
    assert "scene, by its tags: 300 × 420 px" in made.text
    assert "scene, measured: band 1" in made.text


@pytest.mark.slow
def test_what_is_written_previews_and_contradicts_nothing_but_where_it_was_guessed(folder: Path) -> None:
    made, config = written(folder, as_script(folder))
    assert made.todo == ()
    previewed = make_preview(config, PreviewRequest(folder=folder / "preview", pixel=(60, 60), side=64))
    assert [file.name for file in previewed.files][-1] == "preview.html"
    assert find_contradictions(config).paragraphs == []
