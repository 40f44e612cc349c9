"""What is used of segmentation_models_pytorch, with its signatures, for machines that do not have it."""

from __future__ import annotations

from types import ModuleType

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
