"""What does not look right is told by plan, run and init alike, and changes no exit code."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.cli.plan import plan
from pipeline.config.load import load_config
from pipeline.errors import ReadError
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source
from pipeline.models.architectures.fcn import FCN
from pipeline.models.weights import ModelMeta, save
from pipeline.planning.first_config.suggestion import suggest
from pipeline.planning.warnings import job_warnings
from pipeline.running.execute import prepare_job
from tests import networks, scenes
from tests.commands import wholecloth

WORDS = "does not depend on the image"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a network whose weights were never loaded."""
    network = networks.Twice()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    return scenes.config(tmp_path, model={"path": str(scenes.script(network, tmp_path / "a.pt"))})


@pytest.mark.slow
def test_plan_tells_it_in_words_and_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(config)
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning ") and WORDS in line]
    plan(config, as_json=True)
    (words,) = json.loads(capsys.readouterr().out)["warnings"]
    assert WORDS in words


class Broken:
    """A raster whose pixels cannot be read."""

    def __init__(self, source: Source) -> None:
        self.grid = source.grid

    def identity(self) -> dict[str, Any]:
        return {"path": "broken"}

    def read(self, window: Window) -> Pixels:
        raise ReadError(f"{window} cannot be read.")


def test_a_raster_that_cannot_be_read_is_left_to_the_run(config: Path) -> None:
    job = prepare_job(load_config(config))
    assert len(job_warnings(job)) == 1
    # all that is asked of it
    assert job_warnings(replace(job, source=Broken(job.source))) == ()  # type: ignore[arg-type]


def test_pixels_for_which_a_transform_has_no_number_are_told_and_end_no_command(config: Path, tmp_path: Path) -> None:
    (tmp_path / "raw.py").write_text("def change(x):\n    return x / (x != 65000)\n")
    raw = scenes.read(tmp_path / "scene.tif").astype("uint16")
    raw[:, :59], raw[:, 241:] = 65000, 65000  # beyond the windows that are looked at before
    scenes.write(tmp_path / "scene.tif", raw, nodata=0)
    (words,) = job_warnings(prepare_job(load_config(config, [f"model.input.transform={tmp_path}/raw.py:change"])))
    assert re.search(
        r"raw\.py:change gives NaN or infinity for valid pixels .* Blocks that hold such pixels will fail", words
    )


@pytest.mark.parametrize(
    ("given", "pixels"),
    [({}, "10 m wide"), ({"grid": {"resolution": 40}}, "40 m wide"), ({"grid": {"resolution": 25}}, "")],
)
def test_a_network_that_learnt_pixels_of_another_size_is_told_of_the_grid(
    tmp_path: Path, given: dict[str, Any], pixels: str
) -> None:
    args = {"bands": 3, "classes": 2, "width": 2}
    meta = ModelMeta(
        kind="fcn",
        args=args,
        input={"mean": 500.0, "std": 200.0},
        classes=[{"name": "a"}, {"name": "b"}],
        pixel_size=25.0,
    )
    save(tmp_path / "ours.safetensors", networks.lively(FCN(**args)), meta)
    model = {"kind": None, "path": str(tmp_path / "ours.safetensors"), "input": None, "classes": None}
    warnings = job_warnings(prepare_job(load_config(scenes.config(tmp_path, source=given, model=model))))
    words = " ".join(words for words in warnings if "trained at 25 m per px" in words)
    assert pixels in words
    assert ("Set source.grid.resolution: 25," in words) == bool(pixels)


@pytest.mark.slow
def test_run_tells_it_once_and_ends_well(config: Path) -> None:
    first, again = (wholecloth("run", config) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0)
    assert (WORDS in first.stderr, WORDS in again.stderr) == (True, False)


def test_init_tells_it_in_the_head_of_the_config(config: Path) -> None:
    made = suggest(config.parent / "a.pt", str(config.parent / "scene.tif"), config.parent)
    assert "# WARNING: the network returns the same for noise as for" in made.text
    assert WORDS in made.text
