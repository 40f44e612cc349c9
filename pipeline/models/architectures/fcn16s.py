"""FCN-16s: coarse scores refined by the scores of pool4 (Long, Shelhamer & Darrell 2015)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pipeline.models.architectures.sizes import crop_like, pad_to_multiple
from pipeline.models.architectures.upsample import bilinear
from pipeline.models.architectures.vgg import Body

REVISION = 1
"""Raised when the same weights would say something else."""


class FCN16s(Body):
    """Stride 32 with a skip at stride 16. Parameters are those of the body it shares with FCN-32s and FCN-8s."""

    head = ("score.", "score4.", "up2.", "up16.")
    """Beginnings of the names of score and upsampling layers; the rest is the body."""
    per_class = head
    """Beginnings of the names whose shapes depend on the number of classes."""

    def __init__(self, bands: int, classes: int, **body: Any) -> None:
        super().__init__(bands, classes, **body)
        self.score4 = nn.Conv2d(self.channels[3], classes, 1)
        self.up2 = bilinear(classes, 2)
        self.up16 = bilinear(classes, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → logits (batch, classes, rows, cols)."""
        fourth = self.pool4(self.pool3(pad_to_multiple(x, self.stride)))
        sixteenth = self.up2(self.coarse(fourth)) + self.score4(fourth)
        logits: torch.Tensor = self.up16(sixteenth)
        return crop_like(logits, x)
