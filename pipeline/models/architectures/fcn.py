"""The dense network: four convolutions at full resolution or nearly, and nothing that blurs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from pipeline.models.architectures.sizes import check_sizes, crop_like, pad_to_multiple

REVISION = 1
"""Raised when the same weights would say something else."""
CHANNEL_GROWTH = (1, 2, 4, 4)
"""Channels of each convolution, in units of ``width``."""
STEPS = {1: (1, 1, 1, 1), 2: (1, 2, 1, 1), 4: (1, 2, 2, 1)}
"""Strides of the convolutions for each output stride: the first sees every pixel."""


class FCN(nn.Module):
    """3×3 convolutions with batch norm and LeakyReLU(0.2), and a 1×1 convolution to the classes.

    The output is upsampled to the input's size.

    Parameters
    ----------
    bands
        Input bands.
    classes
        Output channels.
    width
        Channels of the first convolution: 64 gives 64-128-256-256.
    output_stride
        1, 2 or 4: how many px one score stands for before upsampling. The stride of the network. From 4 the size is
        restored by nearest ×2, then bilinear ×2.

    Raises
    ------
    ValueError
        A size is below 1, or the output stride is another.
    """

    head = ("score.",)
    """Beginnings of the names of score and upsampling layers; the rest is the body."""
    per_class = head
    """Beginnings of the names whose shapes depend on the number of classes."""

    def __init__(self, bands: int, classes: int, width: int = 64, output_stride: int = 1) -> None:
        super().__init__()
        check_sizes(bands=bands, classes=classes, width=width)
        if output_stride not in STEPS:
            raise ValueError(f"output_stride must be 1, 2 or 4, not {output_stride}")
        self.output_stride = output_stride
        channels = [width * k for k in CHANNEL_GROWTH]
        pairs = zip([bands, *channels[:-1]], channels, STEPS[output_stride], strict=True)
        self.body = nn.Sequential(*(_unit(i, o, step) for i, o, step in pairs))
        self.score = nn.Conv2d(channels[-1], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → logits (batch, classes, rows, cols)."""
        logits: torch.Tensor = self.score(self.body(pad_to_multiple(x, self.output_stride)))
        if self.output_stride == 4:
            logits = F.interpolate(logits, scale_factor=2.0, mode="nearest")
        if self.output_stride > 1:
            logits = F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)
        return crop_like(logits, x)


def _unit(inputs: int, outputs: int, step: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=step, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, a=0.2)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True))
