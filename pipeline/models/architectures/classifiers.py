"""Classic classifiers with torchvision's names of their parts, so that its state dicts load without it.

For ``kind: classifier``, as ``factory: pipeline.models.architectures.classifiers:vgg16``.
"""

from __future__ import annotations

import torch
from torch import nn

REVISION = 1
"""Raised when the same weights would say something else."""
VGG_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions per stage, by the number of layers with weights."""
VGG_GROWTH = (1, 2, 4, 8, 8)


class Classifier(nn.Module):
    """Features, pooled to a grid, flattened, dense layers."""

    def __init__(self, features: nn.Sequential, grid: int, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = classifier

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → (batch, classes)."""
        scores: torch.Tensor = self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))
        return scores


def vgg(
    layers: int = 16, classes: int = 1000, bands: int = 3, norm: bool = False, width: int = 64, hidden: int = 4096
) -> Classifier:
    """VGG (Simonyan & Zisserman 2015) for images of 224 px.

    Parameters
    ----------
    layers
        11, 13, 16 or 19.
    classes, bands
        Output scores and input bands.
    norm
        Batch norm after each convolution, as in torchvision's ``vgg16_bn``.
    width, hidden
        Channels of the first stage and of the dense layers; 64 and 4096 are the original.
    """
    parts: list[nn.Module] = []
    for depth, growth in zip(VGG_DEPTHS[layers], VGG_GROWTH, strict=True):
        for _ in range(depth):
            parts += [
                nn.Conv2d(bands, width * growth, 3, padding=1),
                *([nn.BatchNorm2d(width * growth)] if norm else []),
                nn.ReLU(inplace=True),
            ]
            bands = width * growth
        parts.append(nn.MaxPool2d(2))
    return Classifier(nn.Sequential(*parts), 7, _dense(bands * 49, hidden, classes, dropout_first=False))


def vgg16(classes: int = 1000, bands: int = 3, norm: bool = False) -> Classifier:
    """VGG16, with torchvision's keys of ``vgg16`` or, with ``norm``, of ``vgg16_bn``."""
    return vgg(16, classes, bands, norm)


def alexnet(classes: int = 1000, bands: int = 3) -> Classifier:
    """AlexNet (Krizhevsky 2014) for images of 224 px, with torchvision's keys."""
    features = nn.Sequential(
        nn.Conv2d(bands, 64, 11, stride=4, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
    )
    return Classifier(features, 6, _dense(256 * 36, 4096, classes, dropout_first=True))


def lenet(classes: int = 10, bands: int = 1) -> nn.Sequential:
    """LeNet-5 (LeCun et al. 1998) for images of 32 px, with ReLU.

    Nothing in it pads, so its map equals the slid classifier.
    """
    return nn.Sequential(
        nn.Conv2d(bands, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


def _dense(inputs: int, hidden: int, classes: int, dropout_first: bool) -> nn.Sequential:
    """Three dense layers; VGG drops after its activations, AlexNet before its layers."""
    first, second, last = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, classes)
    if dropout_first:
        return nn.Sequential(
            nn.Dropout(), first, nn.ReLU(inplace=True), nn.Dropout(), second, nn.ReLU(inplace=True), last
        )
    return nn.Sequential(first, nn.ReLU(inplace=True), nn.Dropout(), second, nn.ReLU(inplace=True), nn.Dropout(), last)
