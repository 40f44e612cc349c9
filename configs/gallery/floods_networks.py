"""Networks of ml4floods as its files of weights name their layers: 13 bands of Sentinel-2 to land, water and cloud."""

from __future__ import annotations

import torch
from torch import nn

BANDS, CLASSES = 13, 3


def stage(bands: int, width: int) -> nn.Sequential:
    """Two convolutions of 3 × 3 px, each with a ReLU."""
    first, second = nn.Conv2d(bands, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


class SimpleCNN(nn.Module):
    """Two stages at full resolution and a classifier of each pixel; it sees 4 px on each side."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(stage(BANDS, 64), stage(64, 128), nn.Conv2d(128, CLASSES, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) → logits (n, classes, rows, cols)."""
        logits: torch.Tensor = self.conv(image)
        return logits


class Linear(nn.Module):
    """One convolution of 1 × 1 px: each pixel by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(BANDS, CLASSES, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) → logits (n, classes, rows, cols)."""
        logits: torch.Tensor = self.conv(image)
        return logits
