"""Small networks, each with the stride and radius that can be worked out by hand."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


def conv(i: int, o: int, k: int = 3, **more: int) -> nn.Conv2d:
    return nn.Conv2d(i, o, k, padding=more.pop("padding", k // 2 * more.get("dilation", 1)), **more)


class Pixelwise(nn.Sequential):
    """Stride 1, radius 0."""

    def __init__(self, bands: int = 3, classes: int = 4) -> None:
        super().__init__(nn.Conv2d(bands, classes, 1))


class Twice(nn.Sequential):
    """Two 3×3 convolutions: stride 1, radius 2."""

    def __init__(self, bands: int = 3, classes: int = 4) -> None:
        super().__init__(conv(bands, 8), nn.ReLU(), conv(8, classes))


class Dilated(nn.Sequential):
    """Dilation 5 reaches 5 px, then 1: stride 1, radius 6."""

    def __init__(self) -> None:
        super().__init__(conv(3, 6, dilation=5), nn.LeakyReLU(), conv(6, 4))


class Sideways(nn.Module):
    """Looks 3 px to the left and 1 px down only."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, (2, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(F.pad(x, (3, 0, 0, 1)))


class Strided(nn.Sequential):
    """Two convolutions of stride 2 and nothing to restore the size: logits at a quarter, upsampled by 4 outside."""

    def __init__(self) -> None:
        super().__init__(conv(3, 8, stride=2), nn.ReLU(), conv(8, 4, stride=2))


class ValidUNet(nn.Module):
    """The U-Net of 2015, with few channels: valid convolutions, four levels, crop and concatenate.

    388 px of 572: stride 16, margin 92.

    https://arxiv.org/abs/1505.04597
    """

    def __init__(self, channels: int = 2, classes: int = 4) -> None:
        super().__init__()
        n = channels
        self.first, self.last = self._pair(3, n), nn.Conv2d(n, classes, 1)
        self.down = nn.ModuleList(self._pair(n, n) for _ in range(4))
        self.up = nn.ModuleList(nn.ConvTranspose2d(n, n, 2, 2) for _ in range(4))
        self.join = nn.ModuleList(self._pair(2 * n, n) for _ in range(4))

    @staticmethod
    def _pair(i: int, o: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(i, o, 3), nn.LeakyReLU(), nn.Conv2d(o, o, 3), nn.LeakyReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = [self.first(x)]
        for down in self.down:
            maps.append(down(F.max_pool2d(maps[-1], 2)))
        x = maps.pop()
        for up, join in zip(self.up, self.join):  # noqa: B905  # TorchScript knows no strict
            x, skip = up(x), maps.pop()
            top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
            x = join(torch.cat([skip[:, :, top : top + x.shape[2], left : left + x.shape[3]], x], 1))
        return self.last(x)


class ByThree(nn.Module):
    """Pools by 3 and upsamples by 3: stride 3; a pixel sees its own cell only, so aligned cuts are never felt."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.interpolate(F.max_pool2d(x, 3), scale_factor=3.0, mode="nearest"))


class UNet(nn.Module):
    """Two levels, transposed convolutions, skips. Stride 4.

    Aligned reach, from the output back: dec0 ±2 at stride 1 sees one cell of stride 2, dec1 ±2 of those see cells of
    stride 4, and so on; it is measured against a whole image in the tests.
    """

    def __init__(self, bands: int = 3, classes: int = 4, base: int = 6) -> None:
        super().__init__()
        self.enc0 = nn.Sequential(conv(bands, base), nn.BatchNorm2d(base), nn.ReLU())
        self.enc1 = nn.Sequential(conv(base, 2 * base), nn.BatchNorm2d(2 * base), nn.ReLU())
        self.enc2 = nn.Sequential(conv(2 * base, 2 * base), nn.BatchNorm2d(2 * base), nn.ReLU())
        self.up1 = nn.ConvTranspose2d(2 * base, 2 * base, 2, 2)
        self.up0 = nn.ConvTranspose2d(2 * base, base, 2, 2)
        self.dec1 = nn.Sequential(conv(4 * base, 2 * base), nn.ReLU())
        self.dec0 = nn.Sequential(conv(2 * base, base), nn.ReLU())
        self.head = nn.Conv2d(base, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.enc0(x)
        b = self.enc1(F.max_pool2d(a, 2))
        c = self.enc2(F.max_pool2d(b, 2))
        b = self.dec1(torch.cat([self.up1(c), b], 1))
        return self.head(self.dec0(torch.cat([self.up0(b), a], 1)))


class InstanceNormed(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(conv(3, 6), nn.InstanceNorm2d(6), nn.ReLU(), conv(6, 4))


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.gate, self.head = conv(3, 6), nn.Conv2d(6, 6, 1), nn.Conv2d(6, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.body(x)
        return self.head(x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True))))


class Adaptive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool, self.head = nn.AdaptiveAvgPool2d(4), nn.Conv2d(3, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x + F.interpolate(self.pool(x), size=x.shape[2:], mode="nearest"))


class CornersAligned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.up, self.head = (
            conv(3, 6, stride=2),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(6, 4, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.up(self.body(x)))


class Coordinates(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ramp = (torch.arange(x.shape[3], dtype=x.dtype) / x.shape[3]).expand(x.shape[0], 1, x.shape[2], x.shape[3])
        return self.head(torch.cat([x, ramp], 1))


class Branching(nn.Module):
    """A branch on values that never matters here: local as far as can be seen, and nobody can know."""

    def __init__(self) -> None:
        super().__init__()
        self.head = conv(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool((x == 12345).any()):
            x = x * 0
        return self.head(x)


def lively(network: nn.Module, bands: int = 3) -> nn.Module:
    """Weights whose signals live through every layer, and batch norm that fits them."""
    torch.manual_seed(3)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
            part.reset_running_stats()
    network.train()
    with torch.no_grad():
        network(torch.randn(2, bands, 96, 96))
    return network.eval()


class Silent(nn.Module):
    """A 7×7 convolution that only a pixel of 10⁴ would wake: random draws never see it, NaN does. Radius 3."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.far = nn.Conv2d(3, 4, 1), conv(3, 4, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x) + F.relu(self.far(x) - 1e4)


class Swallowing(nn.Module):
    """Below a threshold that usual pixels rarely pass, everything is 0, and so is NaN: only larger draws wake it.

    Radius 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = conv(3, 6), nn.Conv2d(6, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        f = self.body(x)
        return self.head(torch.where(f > 2.7, f, torch.zeros_like(f)))


class Depth(nn.Module):
    """A U-Net of any depth: two 3×3 convolutions a level on the way down, one on the way up. Stride 2**depth."""

    def __init__(self, depth: int, bands: int = 3, classes: int = 4, base: int = 4) -> None:
        super().__init__()
        width = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(
            [
                nn.Sequential(conv(i, o), nn.ReLU(), conv(o, o), nn.ReLU())
                for i, o in zip([bands, *width], width, strict=False)
            ]
        )
        self.up = nn.ModuleList([nn.ConvTranspose2d(width[k + 1], width[k], 2, 2) for k in reversed(range(depth))])
        self.mix = nn.ModuleList(
            [nn.Sequential(conv(2 * width[k], width[k]), nn.ReLU()) for k in reversed(range(depth))]
        )
        self.head = nn.Conv2d(base, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips: list[torch.Tensor] = []
        for k, level in enumerate(self.down):
            x = level(x if k == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        for k, (up, mix) in enumerate(zip(self.up, self.mix)):  # noqa: B905  # TorchScript knows no strict
            x = mix(torch.cat([up(x), skips[len(skips) - 2 - k]], 1))
        return self.head(x)


class Coarse(nn.Module):
    """Averages cells of n px and restores the size bilinearly, by sizes as traced networks do. Stride n, any n."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.head = conv(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.head(F.avg_pool2d(x, self.n))
        return F.interpolate(y, size=(y.shape[2] * self.n, y.shape[3] * self.n), mode="bilinear", align_corners=False)


class Mirrored(nn.Module):
    """Reflects 40 px at its edges, so that it takes nothing smaller than 41 px. Stride 1, radius 40."""

    def __init__(self) -> None:
        super().__init__()
        self.body = conv(3, 4, dilation=40, padding=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(F.pad(x, (40, 40, 40, 40), mode="reflect"))


class Warped(nn.Module):
    """Samples where its own pixels tell it to."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.flow = conv(3, 4), nn.Conv2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2], x.shape[3]
        rows = (2 * torch.arange(height, device=x.device, dtype=x.dtype) + 1) / height - 1
        cols = (2 * torch.arange(width, device=x.device, dtype=x.dtype) + 1) / width - 1
        where = torch.stack([cols[None, :].expand(height, width), rows[:, None].expand(height, width)], 2)[None]
        flow = torch.tanh(self.flow(x)).permute(0, 2, 3, 1) / height
        return F.grid_sample(self.body(x), where + flow, align_corners=False)


class GroupNormed(nn.Module):
    """Group norm two modules deep, and sequences that are innocent."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8), nn.Sequential(nn.GroupNorm(2, 8), nn.ReLU()))
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


class Attending(nn.Module):
    """Attention over cells of 8 px."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mix, self.head = (
            nn.Conv2d(3, 8, 8, stride=8),
            nn.MultiheadAttention(8, 2, batch_first=True),
            nn.Conv2d(8, 4, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        cells = y.flatten(2).transpose(1, 2)
        mixed = self.mix(cells, cells, cells, need_weights=False)[0]
        return self.head(mixed.transpose(1, 2).reshape(y.shape))


def export(network: nn.Module, path: Path, shape: tuple[int, ...], dims: dict[int, Any] | None = None) -> Path:
    """Save an exported program; ``dims`` names the axes that vary."""
    with warnings.catch_warnings(), path.open("wb") as file:
        warnings.simplefilter("ignore")
        torch.export.save(
            torch.export.export(network.eval(), (torch.rand(shape),), dynamic_shapes=(dims,) if dims else None), file
        )
    return path
