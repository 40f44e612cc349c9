"""A retrained or edited network, or another of its outputs, never leaves an old mask, and is measured by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ModelError, StoreError
from pipeline.inference import opened_networks
from pipeline.planning.freeze import freeze
from pipeline.planning.prepare import prepare_job
from tests import runs, scenes


class Heads(nn.Module):
    """Two answers of one shape: the first looks 1 px around, the second 13 px."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.near, self.wide = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Conv2d(4, 4, 1),
            nn.Conv2d(4, 4, 3, padding=12, dilation=12),
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = torch.relu(self.body(x))
        return self.near(y), self.wide(y)


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    scenes.scene(tmp_path / "scene.tif", 90, 130)
    return scenes.config(
        tmp_path, model={"path": str(scenes.script(Heads(), tmp_path / "heads.pt"))}, output={"block": 64}
    )


def key(value: str) -> str:
    return f'model.output.key="{value}"'


def radius(path: Path, *overrides: str) -> int:
    found = prepare_job(load_config(path, list(overrides)), fresh=True).locality.radius
    assert found is not None
    return found.largest


@pytest.mark.slow
def test_each_output_is_measured_by_itself(heads: Path) -> None:
    assert [radius(heads, key(k)) for k in ("0", "1", "0")] == [1, 13, 1]


@pytest.mark.slow
def test_another_output_is_another_job_and_another_word_for_the_same_is_not(heads: Path) -> None:
    runs.go(heads)
    assert runs.go(heads, key("0")).done == 0
    with pytest.raises(StoreError, match=r"model\.key was auto and is now 1.*--fresh"):
        runs.go(heads, key("1"))


@pytest.mark.slow
def test_a_store_of_before_knows_its_output_by_its_config(heads: Path, tmp_path: Path) -> None:
    runs.go(heads, key("0"))
    forget(tmp_path / "job.zarr" / "zarr.json", "model.key")
    assert runs.go(heads, key("0")).done == 0
    with pytest.raises(StoreError, match=r"model\.key was 0 and is now 1"):
        runs.go(heads, key("1"))


def test_a_frozen_plan_holds_the_output(heads: Path, tmp_path: Path) -> None:
    plan = freeze(prepare_job(load_config(heads, [key("0")])), heads, tmp_path / "run.lock.yaml")
    with pytest.raises(ConfigError, match=r"model\.key is locked at 0 and would be 1"):
        prepare_job(load_config(plan, [key("1")]))


def test_a_process_that_finds_another_network_than_was_planned_writes_nothing(heads: Path, tmp_path: Path) -> None:
    job = prepare_job(load_config(heads, [key("0")]))
    opened_networks.drop_network()
    opened_networks.inference(job.task)
    torch.manual_seed(1)
    scenes.script(Heads(), tmp_path / "heads.pt")
    opened_networks.drop_network()
    with pytest.raises(ModelError, match=r"heads\.pt is another one here than when this run was planned"):
        opened_networks.inference(job.task)
    opened_networks.drop_network()


def forget(root: Path, *keys: str) -> None:
    """Make a store one of before there were such keys."""
    said: dict[str, Any] = json.loads(root.read_text())
    stored = said["attributes"]["wholecloth"]["fingerprint"]
    assert set(keys) <= stored.keys()
    said["attributes"]["wholecloth"]["fingerprint"] = {
        name: value for name, value in stored.items() if name not in keys
    }
    root.write_text(json.dumps(said))
