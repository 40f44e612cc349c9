"""What is used of segmentation_models_pytorch and transformers, for machines that do not have them."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import nn

from tests import networks

NAME = "segmentation_models_pytorch"


class Unet(nn.Module):
    """The library's signature, and a small network."""

    def __init__(
        self,
        encoder_name: str = "resnet34",
        encoder_weights: str | None = "imagenet",
        in_channels: int = 3,
        classes: int = 1,
    ) -> None:
        super().__init__()
        if encoder_weights is not None:
            raise RuntimeError("this would download")
        if encoder_name != "resnet34":
            raise KeyError(f"Wrong encoder name `{encoder_name}`")
        self.body = networks.UNet(in_channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def library() -> ModuleType:
    made = ModuleType(NAME)
    vars(made).update(Unet=Unet, create_model=lambda: None, __version__="0.5.0")
    return made


class SmallConfig:
    """A config of transformers."""

    def __init__(self, num_labels: int = 2, deep: bool = False, use_pretrained_backbone: bool = False) -> None:
        if use_pretrained_backbone:
            raise RuntimeError("this would download")
        self.num_labels, self.deep = num_labels, deep


class SmallForSemanticSegmentation(nn.Module):
    """The interface of a network of transformers, at a quarter of the image's size."""

    config_class = SmallConfig

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 4, stride=4, padding=1)
        self.second = nn.Conv2d(6, 6, 1) if config.deep else nn.Identity()
        self.classifier = nn.Conv2d(6, config.num_labels, 1)

    def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.classifier(self.second(self.first(pixel_values)).relu()))

    @classmethod
    def from_pretrained(
        cls, name: None, *, config: SmallConfig, state_dict: dict[str, torch.Tensor], **flags: bool
    ) -> tuple[nn.Module, dict[str, Any]]:
        assert name is None, "a name would be looked up on a server"
        assert flags == {"output_loading_info": True, "ignore_mismatched_sizes": True}
        network = cls(config)
        shapes = {key: value.shape for key, value in network.state_dict().items()}
        mismatched = {
            (key, value.shape, shapes[key])
            for key, value in state_dict.items()
            if key in shapes and shapes[key] != value.shape
        }
        fitting = {key: value for key, value in state_dict.items() if shapes.get(key) == value.shape}
        missing, _ = network.load_state_dict(fitting, strict=False)
        report = {
            "missing_keys": set(missing) - {key for key, _, _ in mismatched},
            "unexpected_keys": state_dict.keys() - shapes.keys(),
            "mismatched_keys": mismatched,
        }
        return network, report


def transformers_library() -> ModuleType:
    """What is used of transformers."""
    made = ModuleType("transformers")
    vars(made).update(
        SmallForSemanticSegmentation=SmallForSemanticSegmentation,
        OtherForSemanticSegmentation=None,
        __version__="5.0.0",
    )
    return made
