"""From torchvision's ResNet classifiers to the backbone of ``resnet_fcn``."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from pipeline.errors import ModelError
from pipeline.models.architectures.resnet import BLOCKS
from pipeline.models.architectures.resnet_fcn import ResNetFCN
from pipeline.train.pretrained.match_types import Offer, unchanged_tensor

SPARE = ("fc.",)


def recognises(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether keys are those of a ResNet of torchvision."""
    return "layer1.0.conv1.weight" in state


def offer(network: nn.Module, state: Mapping[str, torch.Tensor], kind: str) -> Offer:
    """What a ResNet has for a network: its strides become dilations, its weights stay as they are.

    Raises
    ------
    ModelError
        The network has no such backbone, or the state dict is of another depth.
    """
    if not isinstance(network, ResNetFCN):
        raise ModelError(f"The weights are of a ResNet, and kind {kind} has no such body. They start resnet_fcn.")
    if "layer1.0.conv3.weight" not in state:
        raise ModelError(
            "The weights are of a ResNet of two convolutions a block (18 or 34 layers). Give those of "
            "resnet50 or resnet101."
        )
    have, want = (_blocks(names, prefix) for names, prefix in ((state, ""), (network.state_dict(), "backbone.")))
    depths = {tuple(blocks): depth for depth, blocks in BLOCKS.items()}
    if have != want:
        remedy = f"Set model.args.depth to {depths[have]}" if have in depths else "Give those of resnet50 or resnet101"
        raise ModelError(
            f"The weights have {have} blocks per stage, and the {kind} of depth {depths[want]} has {want}. {remedy}."
        )
    tensors = {
        f"backbone.{key}": unchanged_tensor(key, tensor)
        for key, tensor in state.items()
        if key.partition(".")[0] in _PARTS
    }
    return Offer(source=f"ResNet-{depths[have]}, by torchvision's names", tensors=tensors, spare=SPARE)


_PARTS = {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}


def _blocks(names: Mapping[str, torch.Tensor], prefix: str) -> tuple[int, ...]:
    """Blocks of each stage."""
    return tuple(
        sum(f"{prefix}layer{stage}.{block}.conv1.weight" in names for block in range(64)) for stage in (1, 2, 3, 4)
    )
