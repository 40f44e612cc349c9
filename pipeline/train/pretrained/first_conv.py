"""The first convolution for another number of bands."""

from __future__ import annotations

import torch
from torch import nn


def first_layer(network: nn.Module) -> str:
    """Name of the weight that meets the bands."""
    return next(f"{name}.weight" for name, part in network.named_modules() if isinstance(part, nn.Conv2d))


def to_bands(weight: torch.Tensor, bands: int) -> torch.Tensor:
    """A first convolution (outputs, bands, rows, cols) for another number of bands, so that a grey image excites it as before.

    Every new band gets the mean of the old ones, times their number over the new one: the sum over bands, which is what an image
    of equal bands meets, stays what it was. What the layer knew of colours is lost.
    """
    return weight.sum(1, keepdim=True).expand(-1, bands, -1, -1) / bands
