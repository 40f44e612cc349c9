"""Weights without their network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ModelError
from pipeline.planning.first_config.suggestion import suggest
from tests import networks, scenes
from tests.models.weights.test_torch_pickle import Attributes
from tests.planning.first_config.first import planned, written


class Library(nn.Module):
    """Keys as those of segmentation_models_pytorch."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"conv1": nn.Conv2d(2, 8, 7)})
        self.segmentation_head = nn.Sequential(nn.Conv2d(8, 5, 3))


@pytest.mark.parametrize(
    ("said", "arch", "encoder", "todo"),
    [
        ({"model": "deeplabv3+", "backbone": "resnet50", "loss": Attributes()}, "DeepLabV3Plus", "resnet50", 0),
        ({"arch": "FPN", "encoder_name": "resnet18"}, "FPN", "resnet18", 0),
        ({}, "Unet", "resnet34", 2),
        (Attributes(), "Unet", "resnet34", 2),
    ],
)
def test_a_trainers_checkpoint_tells_architecture_bands_and_classes(
    said: Any, arch: str, encoder: str, todo: int, folder: Path
) -> None:
    state = {f"model.{name}": value for name, value in Library().state_dict().items()}
    torch.save(
        {"state_dict": {"criterion.weight": torch.ones(5), **state}, "hyper_parameters": said}, folder / "last.ckpt"
    )
    made, config = written(folder, "last.ckpt")
    assert (config.model.kind, config.model.arch, config.model.args) == (
        "smp",
        arch,
        {"encoder_name": encoder, "classes": 5},
    )
    assert config.source.bands == [1, 2]
    assert len(config.model.classes or ()) == 5
    assert len(made.todo) == made.text.count("# TO ADD: ") == todo
    assert ("not run, because of what is TO ADD" if todo else "not run here: `wholecloth plan` builds it") in made.text


@pytest.mark.slow
def test_weights_with_a_factory_are_run(folder: Path) -> None:
    (folder / "network.py").write_text("from tests.networks import UNet\ndef make():\n    return UNet()\n")
    torch.save(
        {
            "state_dict": {
                f"model.{name}": value for name, value in networks.lively(networks.UNet()).state_dict().items()
            }
        },
        folder / "last.ckpt",
    )
    made = suggest(folder / "last.ckpt", str(folder / "scene.tif"), folder, f"{folder / 'network.py'}:make")
    assert "local, stride 4 px" in made.text
    assert "# network: prefix model. taken off the keys" in made.text
    assert 'factory: "network.py:make"' in made.text
    assert made.todo == ()
    (folder / "first.yaml").write_text(made.text)
    assert planned(load_config(folder / "first.yaml")).locality.radius is not None


def test_a_factory_for_a_whole_network_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"is a TorchScript network, which needs none"):
        suggest(scenes.unet(folder), str(folder / "scene.tif"), folder, "network.py:make")


@pytest.mark.slow
def test_weights_without_code_say_what_to_add(folder: Path) -> None:
    torch.save(networks.UNet().state_dict(), folder / "a.pt")
    made, config = written(folder, "a.pt")
    assert config.model.kind == "python"
    assert "model.factory" in made.todo[0]
    assert 'factory: "network.py:build"  # TO ADD' in made.text
    (folder / "network.py").write_text("from tests.networks import UNet as build\n")
    assert planned(config).locality.verdict == "local"
