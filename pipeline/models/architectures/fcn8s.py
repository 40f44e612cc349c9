"""FCN-8s: coarse scores refined by those of pool4, then of pool3 (Long, Shelhamer & Darrell 2015)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pipeline.models.architectures.sizes import crop_like, pad_to_multiple
from pipeline.models.architectures.upsample import bilinear
from pipeline.models.architectures.vgg import Body

REVISION = 1
"""Raised when the same weights would say something else."""


class FCN8s(Body):
    """Stride 32 with skips at strides 16 and 8. Parameters are those of the body it shares with FCN-32s and FCN-16s."""

    head = ("score.", "score4.", "score3.", "up2.", "up4.", "up8.")
    """Beginnings of the names of score and upsampling layers; the rest is the body."""
    per_class = head
    """Beginnings of the names whose shapes depend on the number of classes."""

    def __init__(self, bands: int, classes: int, **body: Any) -> None:
        super().__init__(bands, classes, **body)
        self.score4 = nn.Conv2d(self.channels[3], classes, 1)
        self.score3 = nn.Conv2d(self.channels[2], classes, 1)
        self.up2 = bilinear(classes, 2)
        self.up4 = bilinear(classes, 2)
        self.up8 = bilinear(classes, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → logits (batch, classes, rows, cols)."""
        third = self.pool3(pad_to_multiple(x, self.stride))
        fourth = self.pool4(third)
        sixteenth = self.up2(self.coarse(fourth)) + self.score4(fourth)
        eighth = self.up4(sixteenth) + self.score3(third)
        logits: torch.Tensor = self.up8(eighth)
        return crop_like(logits, x)
