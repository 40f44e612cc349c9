"""The networks that are measured: seeded, with batch-norm statistics of the raster itself, saved as TorchScript.

Each ends in a batch norm of the scores, so that the classes come out alike often and the mask is a map with many
boundaries: a network whose signal has died would be right whatever its halo. They take raw pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import rasterio
import torch
import torch.nn.functional as F
from rasterio.windows import Window
from torch import nn

from benchmarks.performance.child import serve

CLASSES = 4
SIDE = 512
"""Of the windows that statistics are taken from, px."""
PLACES = ((0.5, 0.5), (0.3, 0.7), (0.7, 0.4), (0.8, 0.8))
"""Their middles, in parts of the raster."""


def convolved(i: int, o: int) -> nn.Sequential:
    """A 3×3 convolution with batch norm."""
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


def scored(i: int) -> nn.Sequential:
    """Scores of the classes, each of mean 0 and deviation 1 over the raster."""
    return nn.Sequential(nn.Conv2d(i, CLASSES, 1), nn.BatchNorm2d(CLASSES))


class UNet(nn.Module):
    """Five levels of two convolutions: stride 16."""

    def __init__(self, bands: int, base: int = 16) -> None:
        super().__init__()
        widths = [bands, *(base * 2**k for k in range(5))]
        self.down = nn.ModuleList(nn.Sequential(convolved(i, o), convolved(o, o)) for i, o in pairwise(widths))
        self.up = nn.ModuleList(nn.Sequential(convolved(i + o, i), convolved(i, i)) for i, o in pairwise(widths[1:]))
        self.head = scored(base)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) → (n, classes, rows, cols)."""
        levels = [self.down[0](x)]
        for stage in list(self.down)[1:]:
            levels.append(stage(F.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for stage in reversed(list(self.up)):
            wide = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = stage(torch.cat([levels.pop(), wide], 1))
        logits: torch.Tensor = self.head(x)
        return logits


class FCN8s(nn.Module):
    """An encoder of stride 32, scores at 8, 16 and 32 px, transposed convolutions back."""

    def __init__(self, bands: int, base: int = 32) -> None:
        super().__init__()
        widths = [bands, base, base * 2, base * 4, base * 8, base * 8]
        stages = [nn.Sequential(convolved(i, o), convolved(o, o), nn.MaxPool2d(2)) for i, o in pairwise(widths)]
        self.to8, self.to16, self.to32 = (
            nn.Sequential(*stages[:3]),
            stages[3],
            nn.Sequential(stages[4], convolved(base * 8, base * 8)),
        )
        self.scores = nn.ModuleList(scored(i) for i in (base * 4, base * 8, base * 8))
        self.from32, self.from16, self.from8 = (bilinear(step) for step in (2, 2, 8))
        self.head = scored(CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) → (n, classes, rows, cols)."""
        at8 = self.to8(x)
        at16 = self.to16(at8)
        at32 = self.to32(at16)
        y = self.from32(self.scores[2](at32)) + self.scores[1](at16)
        logits: torch.Tensor = self.head(self.from8(self.from16(y) + self.scores[0](at8)))
        return logits


def bilinear(step: int) -> nn.ConvTranspose2d:
    """A transposed convolution that begins as bilinear interpolation, after Long, Shelhamer and Darrell (2015)."""
    layer = nn.ConvTranspose2d(CLASSES, CLASSES, 2 * step, step, step // 2, bias=False)
    slope = 1 - (torch.arange(2 * step) - (step - 0.5)).abs() / step
    with torch.no_grad():
        layer.weight.copy_(torch.eye(CLASSES)[:, :, None, None] * torch.outer(slope, slope))
    return layer


def dense(bands: int, base: int = 64) -> nn.Module:
    """Four 3×3 convolutions at full resolution, wide: nearly all arithmetic and hardly any halo."""
    widths = [bands, base, base * 2, base * 4, base * 4]
    return nn.Sequential(*(convolved(i, o) for i, o in pairwise(widths)), scored(base * 4))


def light(bands: int, base: int = 0) -> nn.Module:
    """One 1×1 convolution: everything else is overhead."""
    return scored(bands)


NETWORKS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    "unet": (UNet, 16),
    "fcn8s": (FCN8s, 32),
    "dense": (dense, 64),
    "light": (light, 0),
}
"""How each is made, and its base width."""


class FromRaw(nn.Module):
    """A network that takes raw pixels; 0 stays 0."""

    def __init__(self, network: nn.Module, scale: float) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) of raw pixels as float32 → (n, classes, rows, cols)."""
        logits: torch.Tensor = self.network(x * self.scale)
        return logits


def make(orders: dict[str, Any]) -> dict[str, Any]:
    """Save one network, calibrated on a raster."""
    torch.manual_seed(2026)
    make_network, base = NETWORKS[orders["kind"]]
    windows = [lesson(orders["raster"], *place) for place in PLACES]
    network = FromRaw(
        make_network(windows[0].shape[1], max(base // orders["narrower"], 1)), 1 / float(windows[0].max())
    )
    calibrate(network, windows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch announces the end of TorchScript
        torch.jit.trace(network, windows[0]).save(orders["network"])
    return {"parameters": sum(p.numel() for p in network.parameters())}


def lesson(raster: str, row: float, col: float) -> torch.Tensor:
    """(1, bands, rows, cols) float32 of raw pixels around a place of the raster; sides are multiples of 32 px."""
    with rasterio.open(raster) as src:
        side = min(SIDE, src.height // 32 * 32, src.width // 32 * 32)
        top, left = (
            min(max(int(part * length) - side // 2, 0), length - side)
            for part, length in ((row, src.height), (col, src.width))
        )
        return torch.from_numpy(src.read(window=Window(left, top, side, side)).astype("float32"))[None]


@torch.no_grad()
def calibrate(network: nn.Module, windows: list[torch.Tensor]) -> None:
    """Batch-norm statistics as the mean over windows of the raster."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain mean of all that is seen
    network.train()
    for window in windows:
        network(window)
    network.eval().requires_grad_(False)


if __name__ == "__main__":
    serve(make)
