"""The body of a dilated ResNet, with torchvision's names of its parts.

He et al. 2016; Yu, Koltun & Funkhouser 2017.
"""

from __future__ import annotations

import torch
from torch import nn

REVISION = 1
"""Raised when the same weights would say something else."""
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Bottlenecks per stage, by depth."""
EXPANSION = 4
RESNET_STRIDE = 8


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut."""

    def __init__(self, inputs: int, width: int, step: int, dilation: int) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=step, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        shortcut = [nn.Conv2d(inputs, outputs, 1, stride=step, bias=False), nn.BatchNorm2d(outputs)]
        self.downsample = nn.Sequential(*shortcut) if step > 1 or inputs != outputs else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, inputs, rows, cols) → (batch, 4·width, rows/step, cols/step)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.downsample is not None:
            x = self.downsample(x)
        z: torch.Tensor = self.relu(y + x)
        return z


class ResNet(nn.Module):
    """Features at stride 8: the last two stages dilate by 2 and 4 where the classifier strides.

    Parameters
    ----------
    bands
        Input bands.
    depth
        50 or 101.
    width
        Channels of the first convolution; 64 is the original.

    Raises
    ------
    ValueError
        The depth is another.
    """

    def __init__(self, bands: int, depth: int = 50, width: int = 64) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"depth must be 50 or 101, not {depth}")
        self.conv1 = nn.Conv2d(bands, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        first, second, third, fourth = BLOCKS[depth]
        self.layer1 = _stage(width, width, first)
        self.layer2 = _stage(width * EXPANSION, width * 2, second, step=2)
        self.layer3 = _stage(width * 2 * EXPANSION, width * 4, third, dilations=(1, 2))
        self.layer4 = _stage(width * 4 * EXPANSION, width * 8, fourth, dilations=(2, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → (batch, 32·width, rows/8, cols/8)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        features: torch.Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return features


def _stage(inputs: int, width: int, blocks: int, step: int = 1, dilations: tuple[int, int] = (1, 1)) -> nn.Sequential:
    """Bottlenecks; the first one dilates as the stage before did, since its input is as dense as that one's."""
    first = Bottleneck(inputs, width, step, dilations[0])
    return nn.Sequential(first, *(Bottleneck(width * EXPANSION, width, 1, dilations[1]) for _ in range(blocks - 1)))
