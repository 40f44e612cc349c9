"""The first convolution for another number of bands, and the normalisation that its weights were trained with."""

from __future__ import annotations

import torch
from torch import nn


def first_layer(network: nn.Module) -> str:
    """Name of the weight that meets the bands."""
    return next(f"{name}.weight" for name, part in network.named_modules() if isinstance(part, nn.Conv2d))


def to_bands(weight: torch.Tensor, bands: int) -> torch.Tensor:
    """A first convolution (outputs, bands, rows, cols) for another number of bands.

    A grey image excites it as before.

    Every new band gets the mean of the old ones, times their number over the new one: the sum over bands, which is what
    an image of equal bands meets, stays what it was. What the layer knew of colours is lost.
    """
    return weight.sum(1, keepdim=True).expand(-1, bands, -1, -1) / bands


IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Of red, green and blue between 0 and 1, over ImageNet (torchvision's documentation of its weights)."""
IMAGENET_STD = (0.229, 0.224, 0.225)
"""As above."""


def imagenet(bands: int = 3, scale: float = 1 / 255) -> dict[str, float | list[float]]:
    """What ``model.input`` should say for torchvision's weights.

    Parameters
    ----------
    bands
        3 for red, green and blue in this order. Any other number gets the mean of the three for each, as its first
        convolution does.
    scale
        What takes raw values to between 0 and 1; 1/255 for uint8.

    Raises
    ------
    ValueError
        There are no bands, or the scale is not above 0.
    """
    if bands < 1 or not scale > 0:
        raise ValueError(f"bands must be at least 1 and scale above 0, not {bands} and {scale}")
    mean, std = (list(values) if bands == 3 else [sum(values) / 3] * bands for values in (IMAGENET_MEAN, IMAGENET_STD))
    return {"scale": scale, "mean": mean, "std": std}
