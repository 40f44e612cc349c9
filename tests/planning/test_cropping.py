"""Whether halos are cropped on their way through a job's network: once for a store, and only where nothing changes."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from torch import nn

from pipeline.config import Config
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ModelError, StoreError
from pipeline.geometry.window import Window
from pipeline.interfaces import Locality, Radius
from pipeline.models.cropping import plan as cropping_plan
from pipeline.models.loaded import Loaded
from pipeline.planning.cropping import ChosenCropping, choose_cropping
from pipeline.planning.describe import describe
from pipeline.planning.job import Job
from pipeline.planning.plan_rows import plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.planning.runtimes.request import ChosenRuntime
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from tests import networks, scenes, zoo

CPU = torch.device("cpu")
NUMBERS = count()
"""So that no network is taken for one before it."""


@pytest.fixture(autouse=True)
def _nothing_was_compared_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))


def chosen(module: nn.Module, config: Config, *, stored: bool | None = None, verdict: str = "local") -> ChosenCropping:
    radius = Radius(top=12, bottom=12, left=12, right=12)
    locality = Locality(verdict=verdict, stride=4, radius=radius, bands=3, classes=4, minimum=8)
    network = Loaded(module=networks.lively(module).eval(), identity_fields={"sha256": str(next(NUMBERS))})
    return choose_cropping(
        config, network, locality, CPU, precision="float32", runtime=ChosenRuntime(), folded=False, stored=stored
    )


def config(folder: Path, *overrides: str) -> Config:
    return load_config(scenes.config(folder), list(overrides))


def test_a_local_network_is_cropped(tmp_path: Path) -> None:
    assert chosen(zoo.UNet(), config(tmp_path)).network is not None


@pytest.mark.parametrize(
    ("module", "verdict", "overrides", "reason"),
    [
        (zoo.UNet(), "not local", [], "the network is not local"),
        (zoo.UNet(), "local", ["tile.augment=flips"], "tiles are turned"),
        (zoo.UNet(), "local", ["tile.overlap=0.5"], "tiles are blended"),
        (zoo.UNet(up="align_corners"), "local", [], "aligned corners"),
        (zoo.UNet(), "local", ["execution.crop=false"], "execution.crop is false"),
    ],
)
def test_what_is_not_cropped_is_told(
    tmp_path: Path, module: nn.Module, verdict: str, overrides: list[str], reason: str
) -> None:
    choice = chosen(module, config(tmp_path, *overrides), verdict=verdict)
    assert choice.network is None
    assert reason in choice.why


def test_true_refuses_a_network_that_cannot_be_cropped(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"execution\.crop is true, but .*aligned corners.*Leave it auto"):
        chosen(zoo.UNet(up="align_corners"), config(tmp_path, "execution.crop=true"))


def test_a_wrong_rule_is_seen_and_tiles_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = cropping_plan.plan_regions

    def narrow(record: Any, height: int, width: int, keep: Window) -> Any:
        """As if the last layers saw 3 px less than they do."""
        regions = plan(record, height, width, keep)
        inner = Window(row=keep.row + 3, col=keep.col + 3, height=keep.height - 6, width=keep.width - 6)
        return replace(plan(record, height, width, inner), output=regions.output)

    monkeypatch.setattr(cropping_plan, "plan_regions", narrow)
    choice = chosen(zoo.UNet(), config(tmp_path))
    assert choice.network is None
    assert "parts of a tile are not what they are in the whole" in choice.why or "compared" in choice.why


def test_what_a_store_was_made_with_holds_whatever_is_asked_for(tmp_path: Path) -> None:
    asked = config(tmp_path)
    assert chosen(zoo.UNet(), asked, stored=False).network is None
    assert chosen(zoo.UNet(), asked, stored=True).network is not None
    with pytest.raises(ModelError, match=r"halos are cropped on their way through it, but here .*--fresh"):
        chosen(zoo.UNet(up="align_corners"), asked, stored=True)


def made(folder: Path, name: str, *overrides: str) -> Job:
    sections: dict[str, dict[str, Any]] = {"tile": {"size": 96}, "output": {"block": 128, "chunk": 64}}
    return prepare_job(load_config(scenes.config(folder, name, **sections), list(overrides)))


def run(job: Job) -> Any:
    with Progress() as progress:
        return execute(job, progress)


def mask(folder: Path, name: str) -> np.ndarray:
    return np.asarray(zarr.open_array(folder / f"{name}.zarr" / "0" / "mask", mode="r")[:])


@pytest.mark.slow
def test_a_cropped_job_says_so_and_gives_the_mask_of_the_whole(tmp_path: Path) -> None:
    job = made(tmp_path, "job")
    facts = describe(job)
    assert job.task.recipe.crop
    assert 1.0 < facts["cropping"]["arithmetic"] < facts["arithmetic_overhead"]
    assert "layers crop halos on their way" in dict(plan_rows(job))["arithmetic"]
    run(job)
    assert (mask(tmp_path, "job") == scenes.whole(tmp_path)).all()
    with Progress() as progress:
        assert verify(job_of(tmp_path / "job.zarr", []), progress.say, windows=6)["passed"]


@pytest.mark.slow
def test_a_cropped_plan_takes_less_memory_and_no_more_than_it_says(tmp_path: Path) -> None:
    cropped, whole = made(tmp_path, "cropped"), made(tmp_path, "whole", "execution.crop=false")
    assert cropped.plan.tiles == whole.plan.tiles
    assert cropped.plan.buffers["activations"] < whole.plan.buffers["activations"]
    assert cropped.plan.costs.cropped < 1.0 == whole.plan.costs.cropped


@pytest.mark.slow
def test_a_store_of_before_goes_on_without(tmp_path: Path) -> None:
    job = made(tmp_path, "job", "execution.crop=false")
    run(job)
    root = tmp_path / "job.zarr" / "zarr.json"
    text = json.loads(root.read_text())
    kept = text["attributes"]["wholecloth"]
    del kept["recipe"]["crop"], kept["fingerprint"]["execution.crop"], kept["costs"]["cropped"]
    root.write_text(json.dumps(text))
    again = made(tmp_path, "job")
    assert not again.task.recipe.crop
    assert run(again).resumed == again.blocks


@pytest.mark.slow
def test_a_cropped_store_is_not_gone_on_with_otherwise(tmp_path: Path) -> None:
    run(made(tmp_path, "job"))
    with pytest.raises(StoreError, match=r"execution\.crop was True and is now False"):
        made(tmp_path, "job", "execution.crop=false")
    assert made(tmp_path, "job").task.recipe.crop
