"""Deconvolution networks: what pooling took away is restored by transposed convolutions."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from pipeline.models.architectures.sizes import check_sizes, crop_like, pad_to_multiple
from pipeline.models.architectures.vgg import STAGE_DEPTHS, STAGE_GROWTH, VGG_STRIDE, conv_unit, vgg_stage

REVISION = 1
"""Raised when the same weights would say something else."""
LEVELS = 3
FILTERS = 64
"""Channels of each transposed convolution."""


def deconvnet(
    bands: int, classes: int, width: int = 64, unpooling: bool = False, fc_kernel: int = 7, fc_width: int = 64
) -> nn.Module:
    """A deconvolution network, plain or with unpooling switches.

    Parameters
    ----------
    bands
        Input bands.
    classes
        Output channels.
    width
        Channels of the first stage.
    unpooling
        Whether it is the symmetric network of Noh, Hong & Han (2015), whose unpooling puts values back where pooling
        found them.
    fc_kernel, fc_width
        Of the symmetric network: size of fc6, and channels of fc6 and fc7 in units of ``width``.

    Raises
    ------
    ValueError
        A size is below 1, or ``fc_kernel`` is even.
    """
    check_sizes(bands=bands, classes=classes, width=width, fc_kernel=fc_kernel, fc_width=fc_width)
    return Symmetric(bands, classes, width, fc_kernel, fc_width) if unpooling else DeconvNet(bands, classes, width)


class DeconvNet(nn.Module):
    """Three pooled stages of two convolutions, three transposed convolutions of stride 2 with 64 filters, scores.

    Stride 8.

    The transposed kernels are 4×4 over a stride of 2, so that every output px is made of as many weights: odd overlaps
    draw checkerboards (Odena, Dumoulin & Olah 2016).
    """

    head = ("decoder.", "score.")
    """Beginnings of the names of score and upsampling layers; the rest is the body."""
    per_class = ("score.",)
    """Beginnings of the names whose shapes depend on the number of classes."""

    def __init__(self, bands: int, classes: int, width: int) -> None:
        super().__init__()
        self.stride = 2**LEVELS
        channels = [bands, *(width * k for k in STAGE_GROWTH[:LEVELS])]
        self.encoder = nn.Sequential(*(vgg_stage(i, o, 2, True) for i, o in pairwise(channels)))
        inputs = [channels[-1], *[FILTERS] * (LEVELS - 1)]
        self.decoder = nn.Sequential(
            *(
                nn.Sequential(nn.ConvTranspose2d(i, FILTERS, 4, stride=2, padding=1), nn.ReLU(inplace=True))
                for i in inputs
            )
        )
        self.score = nn.Conv2d(FILTERS, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → logits (batch, classes, rows, cols)."""
        logits: torch.Tensor = self.score(self.decoder(self.encoder(pad_to_multiple(x, self.stride))))
        return crop_like(logits, x)


class Symmetric(nn.Module):
    """VGG16 and its mirror image, joined by fc6, fc7 and a transposed fc6, with unpooling switches. Stride 32.

    The original looks at 224 px at a time, which fc6 shrinks to a single cell. Here fc6 is padded to keep the size, so
    that images of any size pass.
    """

    head = ("middle.6.", "middle.7.", "up.", "score.")
    """Beginnings of the names of score and upsampling layers; the rest is the body."""
    per_class = ("score.",)
    """Beginnings of the names whose shapes depend on the number of classes."""

    def __init__(self, bands: int, classes: int, width: int, fc_kernel: int, fc_width: int) -> None:
        super().__init__()
        self.stride = VGG_STRIDE
        channels = [width * k for k in STAGE_GROWTH]
        self.down = nn.ModuleList(
            _convolutions(i, o, depth)
            for i, o, depth in zip([bands, *channels[:-1]], channels, STAGE_DEPTHS, strict=True)
        )
        hidden = width * fc_width
        self.middle = nn.Sequential(
            *conv_unit(channels[-1], hidden, fc_kernel, True),
            *conv_unit(hidden, hidden, 1, True),
            *_transposed(hidden, channels[-1], fc_kernel),
        )
        outputs = [*channels[:-1][::-1], channels[0]]
        self.up = nn.ModuleList(
            _deconvolutions(i, o, depth)
            for i, o, depth in zip(channels[::-1], outputs, STAGE_DEPTHS[::-1], strict=True)
        )
        self.score = nn.Conv2d(channels[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → logits (batch, classes, rows, cols)."""
        y = pad_to_multiple(x, self.stride)
        switches: list[torch.Tensor] = []
        for level in self.down:
            y, where = F.max_pool2d(level(y), 2, return_indices=True)
            switches.append(where)
        y = self.middle(y)
        for level in self.up:
            y = level(F.max_unpool2d(y, switches.pop(), [2, 2]))
        logits: torch.Tensor = self.score(y)
        return crop_like(logits, x)


def _convolutions(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    return nn.Sequential(
        *(layer for k in range(depth) for layer in conv_unit(inputs if k == 0 else outputs, outputs, 3, True))
    )


def _deconvolutions(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """The mirror image: the last one changes the channels."""
    return nn.Sequential(
        *(layer for k in range(depth) for layer in _transposed(inputs, outputs if k == depth - 1 else inputs, 3))
    )


def _transposed(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    layer = nn.ConvTranspose2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
