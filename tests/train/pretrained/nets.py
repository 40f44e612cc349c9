"""Torchvision's classifiers written out by its names, in any width, since it need not be installed."""

from __future__ import annotations

import torch
from torch import nn

PLAIN = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Where the convolutions of torchvision's vgg16 stand in its features; each number is in the names of its published
file."""
NORMED = (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40)
"""The same of vgg16_bn."""
OUTPUTS = (1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8)
POOLED = (1, 3, 6, 9, 12)
"""Convolutions before a pool."""


class VGG16(nn.Module):
    """``features`` and ``classifier`` as in torchvision's vgg16 and vgg16_bn, for images of 224 px."""

    def __init__(self, width: int = 4, hidden: int = 16, norm: bool = False, bands: int = 3, classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k, growth in enumerate(OUTPUTS):
            assert len(layers) == (NORMED if norm else PLAIN)[k]
            layers += [
                nn.Conv2d(bands, width * growth, 3, padding=1),
                *([nn.BatchNorm2d(width * growth)] if norm else []),
                nn.ReLU(),
            ]
            layers += [nn.MaxPool2d(2)] if k in POOLED else []
            bands = width * growth
        self.features = nn.Sequential(*layers)
        dense = (
            nn.Linear(8 * width * 49, hidden),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(hidden, classes),
        )
        self.classifier = nn.Sequential(*dense)


class Block(nn.Module):
    """A bottleneck; of two convolutions where ``shallow``, as in ResNet-18."""

    def __init__(self, inputs: int, width: int, stride: int, shallow: bool = False) -> None:
        super().__init__()
        outputs = width if shallow else 4 * width
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        if not shallow:
            self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        return (self.bn3(self.conv3(y)) + (self.downsample(x) if hasattr(self, "downsample") else x)).relu()


class ResNet(nn.Module):
    """Torchvision's resnet50 and others: stride 32, and a dense layer."""

    def __init__(
        self,
        blocks: tuple[int, ...] = (3, 4, 6, 3),
        width: int = 4,
        bands: int = 3,
        classes: int = 10,
        shallow: bool = False,
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(bands, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        inputs, more = width, 1 if shallow else 4
        for k, count in enumerate(blocks):
            stage = []
            for block in range(count):
                stage.append(Block(inputs, width * 2**k, 2 if block == 0 and k else 1, shallow))
                inputs = width * 2**k * more
            setattr(self, f"layer{k + 1}", nn.Sequential(*stage))
        self.fc = nn.Linear(inputs, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def lively(network: nn.Module) -> nn.Module:
    """Every weight, shift and statistic away from what it began as, and signals that live."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.uniform_(part.bias, -0.3, 0.3)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.8, 1.2)
            nn.init.uniform_(part.bias, 0, 0.3)
            nn.init.uniform_(part.running_mean, -0.3, 0.3)
            nn.init.uniform_(part.running_var, 0.8, 1.5)
            part.num_batches_tracked.fill_(7)
    return network.eval()
