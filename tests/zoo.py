"""A zoo of what segmentation networks are built of: one small network for each habit, local and not.

Most stand in the same frame, ``body`` (3×3) → ``middle`` → ``head`` (1×1), so that the layer to blame is in ``middle``
and the two others are innocent.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from tests.networks import conv

WIDTH = 8
"""Channels between body and head."""


class Framed(nn.Module):
    """A part between a 3×3 convolution and a 1×1: the body adds 1 px to the part's own reach."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        self.body, self.middle, self.head = conv(3, WIDTH), middle, nn.Conv2d(WIDTH, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.middle(self.body(x)))


class Cells(nn.Module):
    """A part that sees cells of 8 px as its pixels, as vision transformers do; sizes are multiples of 8."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        self.body, self.middle, self.head = nn.Conv2d(3, WIDTH, 8, stride=8), middle, nn.Conv2d(WIDTH, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(self.head(self.middle(self.body(x))), scale_factor=8.0, mode="nearest")


class UNet(nn.Module):
    """Two levels, one 3×3 convolution each with a norm, and a way up of choice.

    Transposed, bilinear, nearest or align_corners.
    """

    def __init__(
        self, norm: Callable[[int], nn.Module] = nn.BatchNorm2d, up: str = "transposed", base: int = 4
    ) -> None:
        super().__init__()
        a, b = base, 2 * base
        self.enc0, self.enc1, self.enc2 = self._level(3, a, norm), self._level(a, b, norm), self._level(b, b, norm)
        self.up1, self.up0 = self._up(b, b, up), self._up(b, a, up)
        self.dec1, self.dec0 = self._level(2 * b, b, norm), self._level(2 * a, a, norm)
        self.head = nn.Conv2d(a, 4, 1)

    @staticmethod
    def _level(i: int, o: int, norm: Callable[[int], nn.Module]) -> nn.Module:
        return nn.Sequential(conv(i, o), norm(o), nn.ReLU())

    @staticmethod
    def _up(i: int, o: int, up: str) -> nn.Module:
        if up == "transposed":
            return nn.ConvTranspose2d(i, o, 2, 2)
        corners = True if up == "align_corners" else None if up == "nearest" else False
        mode = "nearest" if up == "nearest" else "bilinear"
        return nn.Sequential(nn.Upsample(scale_factor=2.0, mode=mode, align_corners=corners), nn.Conv2d(i, o, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.enc0(x)
        b = self.enc1(F.max_pool2d(a, 2))
        c = self.enc2(F.max_pool2d(b, 2))
        b = self.dec1(torch.cat([self.up1(c), b], 1))
        return self.head(self.dec0(torch.cat([self.up0(b), a], 1)))


class LayerNorm2d(nn.LayerNorm):
    """ConvNeXt's: over the channels of each pixel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.permute(0, 2, 3, 1)
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class LayerNormOfAll(nn.Module):
    """Over channels, rows and cols."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, [x.shape[1], x.shape[2], x.shape[3]])


class StandardisedByHand(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)


class ResponseNorm(nn.Module):
    """ConvNeXt V2's global response norm."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, WIDTH, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        strength = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
        return self.gamma * x * strength / (strength.mean(1, keepdim=True) + 1e-6) + x


class Gate(nn.Module):
    """Squeeze and excite under a name that tells nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.mix = nn.AdaptiveAvgPool2d(1), nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.mix(self.pool(x)))


class ImagePooling(nn.Module):
    """Dilated branches beside the mean of the image, as in DeepLabV3."""

    def __init__(self, pooled: bool) -> None:
        super().__init__()
        self.near, self.far = conv(WIDTH, WIDTH, dilation=2), conv(WIDTH, WIDTH, dilation=4)
        self.pool = nn.AdaptiveAvgPool2d(1) if pooled else nn.Identity()
        self.mix, self.pooled = nn.Conv2d(3 * WIDTH, WIDTH, 1), pooled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = self.pool(x)
        if self.pooled:
            mean = F.interpolate(mean, size=(x.shape[2], x.shape[3]), mode="bilinear", align_corners=False)
        return self.mix(torch.cat([self.near(x), self.far(x), mean], 1))


class Pyramid(nn.Module):
    """PSPNet's: pooled to 1, 2, 3 and 6 cells, whatever the size."""

    def __init__(self) -> None:
        super().__init__()
        self.pools = nn.ModuleList([nn.AdaptiveAvgPool2d(n) for n in (1, 2, 3, 6)])
        self.mix = nn.Conv2d(5 * WIDTH, WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [x]
        for pool in self.pools:
            parts.append(F.interpolate(pool(x), size=(x.shape[2], x.shape[3]), mode="bilinear", align_corners=False))
        return self.mix(torch.cat(parts, 1))


class Pooled(nn.Module):
    """The image's mean, or another number of it, added to each pixel; ``how`` says in which words."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "flattened":
            y = x.flatten(2).mean(-1)
        elif self.how == "mean":
            y = x.mean(dim=[-2, -1])
        elif self.how == "amax":
            y = torch.amax(x, dim=(2, 3))
        elif self.how == "of everything":
            y = x.max().expand(1, x.shape[1])
        elif self.how == "swallowed":
            y = torch.where(x > 0, x, torch.zeros_like(x)).mean(dim=[-2, -1])
        elif self.how == "dazzled":
            y = torch.amax(torch.where(x > 50.0, x, torch.zeros_like(x)), dim=(2, 3))
        elif self.how == "topk":
            y = torch.topk(x.flatten(2), 4)[0].mean(-1)
        elif self.how == "sorted":
            y = torch.sort(x.mean(1, keepdim=True).flatten(2), dim=-1)[0][:, :, 10]
        else:
            y = x.mean(3).mean(2)
        return x + y[:, :, None, None]


class Asking(nn.Module):
    """One head over every pixel; ``how`` says in which words."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.qkv = how, nn.Conv2d(WIDTH, 3 * WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).flatten(2).transpose(1, 2).chunk(3, 2)
        if self.how == "fused":
            y = F.scaled_dot_product_attention(q, k, v)
        elif self.how == "matmul":
            y = torch.softmax(q @ k.transpose(1, 2), -1) @ v
        else:
            y = torch.einsum("bqk,bkc->bqc", torch.softmax(torch.einsum("bqc,bkc->bqk", q, k), -1), v)
        return x + y.transpose(1, 2).reshape(x.shape)


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cells = x.flatten(2).transpose(1, 2)
        return self.mix(cells, cells, cells, need_weights=False)[0].transpose(1, 2).reshape(x.shape)


class Windows(nn.Module):
    """Attention within windows of 8 px, as in Swin.

    ``shift`` moves them by 4 px: rolled, rolled and masked, or padded.
    """

    def __init__(self, shift: str = "none") -> None:
        super().__init__()
        self.shift, self.qkv = shift, nn.Linear(WIDTH, 3 * WIDTH)

    def attend(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Cut into windows, looked at one by one, and put together again."""
        batch, channels, rows, cols = x.shape[0], x.shape[1], x.shape[2], x.shape[3]
        cells = (
            x.reshape(batch, channels, rows // 8, 8, cols // 8, 8).permute(0, 2, 4, 3, 5, 1).reshape(-1, 64, channels)
        )
        q, k, v = self.qkv(cells).chunk(3, 2)
        cells = torch.softmax(q @ k.transpose(1, 2) + mask, -1) @ v
        return cells.reshape(batch, rows // 8, cols // 8, 8, 8, channels).permute(0, 5, 1, 3, 2, 4).reshape(x.shape)

    def apart(self, x: torch.Tensor) -> torch.Tensor:
        """-100 between pixels of a window that rolling brought together, (windows, 64, 64)."""
        rows, cols = x.shape[2], x.shape[3]
        side = torch.zeros(rows, cols)
        side[rows - 4 :] += 1.0
        side[:, cols - 4 :] += 2.0
        side = side.reshape(rows // 8, 8, cols // 8, 8).permute(0, 2, 1, 3).reshape(-1, 64).repeat(x.shape[0], 1)
        return (side[:, None] != side[:, :, None]).to(x.dtype) * -100.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.shift == "none":
            y = self.attend(x, torch.zeros(1))
        elif self.shift == "padded":
            y = self.attend(F.pad(x, (4, 4, 4, 4)), torch.zeros(1))[:, :, 4:-4, 4:-4]
        else:
            mask = self.apart(x) if self.shift == "masked" else torch.zeros(1)
            y = torch.roll(self.attend(torch.roll(x, [-4, -4], [2, 3]), mask), [4, 4], [2, 3])
        return x + y


class WindowAttention(Windows):
    """The same, under a name that sounds guilty."""


class Coordinates(nn.Module):
    """Where in the image a pixel is; ``how`` says in which words."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.register_buffer("ramp", torch.linspace(0, 30, 10_000 if how == "buffer" else 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "arange":
            y = torch.arange(x.shape[3], dtype=x.dtype) / 300
        elif self.how == "linspace":
            y = torch.linspace(0, 1, x.shape[3])
        elif self.how == "meshgrid":
            rows, cols = torch.arange(x.shape[2]) / 300, torch.arange(x.shape[3]) / 300
            y = torch.stack(torch.meshgrid([rows, cols], indexing="ij")).sum(0)
        elif self.how == "cumsum":
            y = torch.cumsum(torch.ones_like(x), 3) / 300
        else:
            y = self.ramp[: x.shape[3]]
        return x + y


class Resized(nn.Module):
    """Down by 2 and up again; ``how`` is the mode of the way up, with corners aligned."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.down = how, conv(WIDTH, WIDTH, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(self.down(x), size=(x.shape[2], x.shape[3]), mode=self.how, align_corners=True)


class Thumbnail(nn.Module):
    """Looks at the image at one small size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = F.interpolate(x, size=(32, 32), mode="bilinear", align_corners=False)
        return x + F.interpolate(small, size=(x.shape[2], x.shape[3]), mode="bilinear", align_corners=False)


class Unpooled(nn.Module):
    """SegNet's: what was the largest of its cell goes back to where it was."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up, self.mix = (
            nn.MaxPool2d(2, return_indices=True),
            nn.MaxUnpool2d((2, 2), stride=(2, 2)),
            conv(WIDTH, WIDTH),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, switches = self.down(x)
        return self.mix(self.up(y, switches))


class Bright(nn.Module):
    """Bright images are darkened."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.max() > 12.0):
            x = x * 0.5
        return x


class Bowed(nn.Module):
    """Looks up to 3 px to the right, as far as each pixel says."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        width = x.shape[3]
        far = (3 * torch.sigmoid(x[:, :1])).round().long() + torch.arange(width)
        return x + x.gather(3, far.clamp(0, width - 1).expand(x.shape))


class Quantised(nn.Module):
    """Each pixel's value, looked up in a table: no other pixel is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.table[(torch.nan_to_num(x) * 4 + 8).clamp(0, 15).long()]


class Swallowing(nn.Module):
    """A ReLU written so that NaN counts as 0, one that only dazzling pixels pass, or a clamp; then 3×3."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.mix = how, conv(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "clamp":
            return self.mix(x.clamp(min=0.0, max=4.0))
        return self.mix(torch.where(x > (50.0 if self.how == "dazzled" else 0.0), x, torch.zeros_like(x)))


class Smooth(nn.Module):
    """Keeps the strong waves of the whole image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        waves = torch.fft.fft2(x)
        return x + torch.fft.ifft2(waves * (waves.abs() > 20.0)).real


class Padded(nn.Module):
    """2 px at the edges are made up: reflected, replicated, or taken from the other end; then 5×5."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.mix = how, conv(WIDTH, WIDTH, 5, padding=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mix(F.pad(x, [2, 2, 2, 2], mode=self.how))


class Mirror(nn.Module):
    """Each pixel with its mirror image at the other end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.5 * x.flip(3)


class Scaled(nn.Module):
    """Divided by the size of the image: nothing is looked at, and yet a tile is not the whole."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (100.0 / x.shape[2])
