"""A convolution and its batch norm, with statistics that do something."""

from __future__ import annotations

import torch
from torch import nn

from tests.networks import conv


class Pair(nn.Module):
    """A convolution, and the batch norm that alone looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = conv(3, 8), nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


def settled(network: nn.Module) -> nn.Module:
    """Batch norm with statistics and weights that are neither 0 nor 1, in eval mode."""
    torch.manual_seed(1)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            if part.affine:
                nn.init.uniform_(part.weight, -1, 1)
                nn.init.normal_(part.bias)
    return network.eval()


def apart(one: nn.Module, other: nn.Module | None, rows: int = 64, cols: int = 96) -> float:
    """Largest difference, of the largest value."""
    assert other is not None
    first = next(one.parameters(), torch.zeros(()))
    x = torch.randn((1, 3, rows, cols), generator=torch.Generator().manual_seed(2)).to(first.dtype)
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        wanted = one(x)
        return float((wanted - other(x)).abs().max() / wanted.abs().max())
