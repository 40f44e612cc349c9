"""Learned upsampling that begins as bilinear interpolation."""

from __future__ import annotations

import torch
from torch import nn

REVISION = 1
"""Raised when the same weights would say something else."""


def bilinear(channels: int, factor: int) -> nn.ConvTranspose2d:
    """A transposed convolution that upsamples bilinearly until it is trained.

    Long, Shelhamer & Darrell 2015, section 3.3.

    The kernel spans two cells, so that an output pixel is a mixture of the two nearest cells of each axis::

        |   cell   |   cell   |      factor 4: kernel 8, padding 2
            ooooooooooo              each cell reaches half a cell beyond its own
    """
    size = 2 * factor
    layer = nn.ConvTranspose2d(channels, channels, size, stride=factor, padding=factor // 2, bias=False)
    ramp = 1 - (torch.arange(size) + 0.5 - factor).abs() / factor
    with torch.no_grad():
        layer.weight.zero_()
        for k in range(channels):
            layer.weight[k, k] = torch.outer(ramp, ramp)
    return layer
