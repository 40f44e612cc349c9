"""The body of VGG16 with its dense layers as convolutions.

Simonyan & Zisserman 2015; Long, Shelhamer & Darrell 2015.
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.models.architectures.sizes import check_sizes

REVISION = 1
"""Raised when the same weights would say something else."""
STAGE_DEPTHS = (2, 2, 3, 3, 3)
"""Convolutions per stage, as in VGG16."""
STAGE_GROWTH = (1, 2, 4, 8, 8)
"""Channels of each stage, in units of ``width``."""
VGG_STRIDE = 32


class Body(nn.Module):
    """What FCN-32s, 16s and 8s share: five pooled stages, fc6, fc7 and the coarse scores.

    The original pads its input by 100 px and crops afterwards, so that its cells begin 100 px before the image. Here
    fc6 is padded to keep the size, so that cells of stride 32 begin at the image's corner and tiles equal the whole
    image.

    Parameters
    ----------
    bands
        Input bands.
    classes
        Output channels.
    width
        Channels of the first stage; 64 is VGG16.
    fc_kernel
        Size of fc6, odd; 7 is the original. Each 2 px of it add 32 px to the radius.
    fc_width
        Channels of fc6 and fc7, in units of ``width``; 64 is the original.
    norm
        Whether each convolution is followed by batch norm; the original has none.
    dropout
        Share of fc6 and fc7 that training drops; 0.5 is the original.

    Raises
    ------
    ValueError
        A size is below 1, ``fc_kernel`` is even, or ``dropout`` is no share.
    """

    def __init__(
        self,
        bands: int,
        classes: int,
        width: int = 64,
        fc_kernel: int = 7,
        fc_width: int = 64,
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(bands=bands, classes=classes, width=width, fc_kernel=fc_kernel, fc_width=fc_width)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {dropout}")
        self.stride = VGG_STRIDE
        self.channels = [width * k for k in STAGE_GROWTH]
        inputs = [bands, *self.channels[:-1]]
        stages = [vgg_stage(i, o, depth, norm) for i, o, depth in zip(inputs, self.channels, STAGE_DEPTHS, strict=True)]
        self.pool3 = nn.Sequential(*stages[:3])
        self.pool4 = stages[3]
        self.pool5 = stages[4]
        hidden = width * fc_width
        drop = [nn.Dropout2d(dropout)] if dropout else []
        self.fc6 = nn.Sequential(*conv_unit(self.channels[4], hidden, fc_kernel, norm), *drop)
        self.fc7 = nn.Sequential(*conv_unit(hidden, hidden, 1, norm), *drop)
        self.score = nn.Conv2d(hidden, classes, 1)

    def coarse(self, fourth: torch.Tensor) -> torch.Tensor:
        """pool4's output → scores at stride 32."""
        scores: torch.Tensor = self.score(self.fc7(self.fc6(self.pool5(fourth))))
        return scores


def conv_unit(inputs: int, outputs: int, kernel: int, norm: bool) -> list[nn.Module]:
    """A convolution that keeps the size, batch norm if asked for, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=not norm)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return [convolution, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU(inplace=True)]


def vgg_stage(inputs: int, outputs: int, depth: int, norm: bool) -> nn.Sequential:
    """Convolutions of 3×3, then a pool that halves the size."""
    layers = [layer for i in range(depth) for layer in conv_unit(inputs if i == 0 else outputs, outputs, 3, norm)]
    return nn.Sequential(*layers, nn.MaxPool2d(2))
