"""The networks people bring, small: U-Nets that differ in one layer, and one that attends to everything."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

Norm = Callable[[int], nn.Module]
SIZE = 256
"""Training size, px."""


class Excite(nn.Module):
    """Channels weighed by their means over the image (squeeze and excite)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow, self.widen = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.widen(F.relu(self.narrow(mean))))


class Level(nn.Sequential):
    """Two 3×3 convolutions with norms, and what may follow."""

    def __init__(self, i: int, o: int, norm: Norm, excites: bool) -> None:
        layers = [nn.Conv2d(i, o, 3, padding=1), norm(o), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), norm(o), nn.ReLU()]
        super().__init__(*layers, *([Excite(o)] if excites else []))


class UNet(nn.Module):
    """Four levels, two convolutions each: stride 8."""

    def __init__(
        self, bands: int, classes: int, norm: Norm = nn.BatchNorm2d, excites: bool = False, base: int = 8
    ) -> None:
        super().__init__()
        a, b, c, d = (base * k for k in (1, 2, 4, 4))
        self.enc0, self.enc1 = Level(bands, a, norm, excites), Level(a, b, norm, excites)
        self.enc2, self.enc3 = Level(b, c, norm, excites), Level(c, d, norm, excites)
        self.up2, self.up1, self.up0 = (
            nn.ConvTranspose2d(d, c, 2, 2),
            nn.ConvTranspose2d(c, b, 2, 2),
            nn.ConvTranspose2d(b, a, 2, 2),
        )
        self.dec2, self.dec1, self.dec0 = (
            Level(2 * c, c, norm, excites),
            Level(2 * b, b, norm, excites),
            Level(2 * a, a, norm, excites),
        )
        self.head = nn.Conv2d(a, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.enc0(x)
        b = self.enc1(F.max_pool2d(a, 2))
        c = self.enc2(F.max_pool2d(b, 2))
        d = self.enc3(F.max_pool2d(c, 2))
        c = self.dec2(torch.cat([self.up2(d), c], 1))
        b = self.dec1(torch.cat([self.up1(c), b], 1))
        return self.head(self.dec0(torch.cat([self.up0(b), a], 1)))


class Attend(nn.Module):
    """Every cell asks cells ``reduce`` times coarser, all over the image; then a mixer with a depthwise 3×3."""

    def __init__(self, width: int, reduce: int) -> None:
        super().__init__()
        self.q, self.kv, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.reduce, self.before, self.after = (
            nn.Conv2d(width, width, reduce, stride=reduce),
            nn.LayerNorm(width),
            nn.LayerNorm(width),
        )
        self.widen, self.near, self.narrow = (
            nn.Conv2d(width, 4 * width, 1),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width),
            nn.Conv2d(4 * width, width, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.before(x.permute(0, 2, 3, 1))
        coarse = self.reduce(normed.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        k, v = self.kv(coarse).chunk(2, -1)
        y = self.out(F.scaled_dot_product_attention(self.q(normed.flatten(1, 2)), k, v))
        x = x + y.transpose(1, 2).reshape(x.shape)
        z = self.after(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x + self.narrow(F.gelu(self.near(self.widen(z))))


class SegFormer(nn.Module):
    """Two stages of attention, at 4 and 8 px, and a decoder of 1×1 convolutions, after SegFormer (Xie et al. 2021).

    Sizes are multiples of 32.
    """

    def __init__(self, bands: int, classes: int, width: int = 16) -> None:
        super().__init__()
        self.embed0, self.stage0 = (
            nn.Conv2d(bands, width, 7, stride=4, padding=3),
            nn.Sequential(Attend(width, 8), Attend(width, 8)),
        )
        self.embed1, self.stage1 = (
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.Sequential(Attend(2 * width, 4), Attend(2 * width, 4)),
        )
        self.mix, self.head = nn.Conv2d(3 * width, 2 * width, 1), nn.Conv2d(2 * width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.stage0(self.embed0(x))
        b = self.stage1(self.embed1(a))
        y = self.mix(
            torch.cat([a, F.interpolate(b, size=(a.shape[2], a.shape[3]), mode="bilinear", align_corners=False)], 1)
        )
        return F.interpolate(self.head(F.relu(y)), size=(x.shape[2], x.shape[3]), mode="bilinear", align_corners=False)


FAMILIES: dict[str, Callable[[int, int], nn.Module]] = {
    "U-Net, batch norm": UNet,
    "U-Net, instance norm": lambda bands, classes: UNet(
        bands, classes, lambda width: nn.InstanceNorm2d(width, affine=True)
    ),
    "U-Net, group norm": lambda bands, classes: UNet(bands, classes, lambda width: nn.GroupNorm(4, width)),
    "U-Net, squeeze and excite": lambda bands, classes: UNet(bands, classes, excites=True),
    "SegFormer-like": SegFormer,
}
"""Bands and classes → a network of random weights."""
