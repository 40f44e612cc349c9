from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.config import ModelConfig, ModelOutputConfig
from pipeline.models import load
from pipeline.models.recorded_network import RecordedNetwork, recorded_network
from pipeline.runtime.record_files import NotRecorded
from tests import networks, scenes
from tests.models.onnx_files import to_onnx

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))


def model(kind: str, folder: Path) -> ModelConfig:
    path = folder / f"network.{kind}"
    make = scenes.script if kind == "torchscript" else to_onnx
    return ModelConfig(kind=kind, path=make(networks.lively(networks.UNet()), path))


@pytest.mark.parametrize("kind", ["torchscript", "onnx"])
def test_a_network_that_was_loaded_is_known_by_its_bytes(kind: str, tmp_path: Path) -> None:
    config = model(kind, tmp_path)
    assert recorded_network(config, 3) is None
    loaded, recorded = load(config, 3, CPU), recorded_network(config, 3)
    assert recorded is not None
    assert recorded.identity() == loaded.identity()
    assert recorded.mark == loaded.mark
    for name in ("accepts", "notes", "bands", "inputs", "key", "runs_outside", "leaves_torch", "input_dtype", "margin"):
        assert getattr(recorded, name) == getattr(loaded, name), name


def test_what_decides_the_network_is_a_part_of_the_record(tmp_path: Path) -> None:
    config = model("onnx", tmp_path)
    load(config, 3, CPU)
    assert recorded_network(config, 3) is not None
    assert recorded_network(config, 4) is None
    assert recorded_network(config.model_copy(update={"output": ModelOutputConfig(key="y")}), 3) is None
    assert config.path is not None
    config.path.write_bytes(config.path.read_bytes() + b"\x0a\x00")
    assert recorded_network(config, 3) is None


def test_a_recorded_network_has_no_module(tmp_path: Path) -> None:
    config = model("torchscript", tmp_path)
    load(config, 3, CPU)
    recorded = recorded_network(config, 3)
    assert isinstance(recorded, RecordedNetwork)
    folded = replace(recorded, folded=True)
    for use in (lambda: folded.module, lambda: folded.graph, lambda: folded(torch.zeros(1, 3, 8, 8))):
        with pytest.raises(NotRecorded):
            use()
