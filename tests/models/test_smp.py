"""Networks of segmentation_models_pytorch, by a stand-in for the library."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.config import ClassConfig, ModelConfig
from pipeline.errors import ConfigError, ExtraError, ModelError, PipelineError
from pipeline.models import load
from tests import networks
from tests.models import stand_in

CLASSES = [ClassConfig(name=name) for name in "abcd"]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = stand_in.library()
    monkeypatch.setitem(sys.modules, stand_in.NAME, made)
    return made


def config(folder: Path, **said: Any) -> tuple[ModelConfig, nn.Module]:
    network = networks.lively(stand_in.Unet(encoder_weights=None, classes=4))
    torch.save(
        {"state_dict": {f"model.{name}": value for name, value in network.state_dict().items()}}, folder / "a.ckpt"
    )
    return ModelConfig(
        **{
            "kind": "smp",
            "arch": "Unet",
            "path": folder / "a.ckpt",
            "args": {"encoder_name": "resnet34"},
            "classes": CLASSES,
            **said,
        }
    ), network


@pytest.mark.parametrize(
    "said", [{}, {"args": {"classes": 4, "in_channels": 3, "encoder_weights": "imagenet"}, "classes": None}]
)
def test_an_architecture_is_built_and_filled(said: dict[str, Any], library: ModuleType, tmp_path: Path) -> None:
    model, network = config(tmp_path, **said)
    found, x = load(model, 3, torch.device("cpu")), torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(found(x), network(x))
    assert found.notes == ("weights taken from state_dict", "prefix model. taken off the keys")


def test_another_release_of_the_library_is_another_network(library: ModuleType, tmp_path: Path) -> None:
    model, _ = config(tmp_path)
    before = load(model, 3, torch.device("cpu")).identity()
    assert before == load(model, 3, torch.device("cpu")).identity()
    library.__version__ = "0.6.0"  # type: ignore[attr-defined]
    assert load(model, 3, torch.device("cpu")).identity() != before


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"arch": "unet"}, ConfigError, "nearest is Unet"),
        ({"arch": None}, ConfigError, "it has Unet"),
        ({"arch": "create_model"}, ConfigError, "does not have"),
        ({"classes": None}, ConfigError, "model.args.classes"),
        ({"args": {"encoder_name": "resnet35"}}, ModelError, "Wrong encoder name"),
        ({"args": {"colour": 3}}, ModelError, "colour"),
        ({"args": {"classes": 5}}, ModelError, r"body\.head\.weight is \(4, 6, 1, 1\) in the file and \(5, 6, 1, 1\)"),
    ],
)
def test_mistakes_are_told(
    said: dict[str, Any], error: type[PipelineError], words: str, library: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        load(config(tmp_path, **said)[0], 3, torch.device("cpu"))


def test_the_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, stand_in.NAME, None)
    with pytest.raises(ExtraError, match=r"segmentation_models_pytorch.*pip install 'wholecloth\[smp\]'"):
        load(config(tmp_path)[0], 3, torch.device("cpu"))
