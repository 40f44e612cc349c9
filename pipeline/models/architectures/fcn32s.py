"""FCN-32s: coarse scores, upsampled in one step (Long, Shelhamer & Darrell 2015)."""

from __future__ import annotations

from typing import Any

import torch

from pipeline.models.architectures.sizes import crop_like, pad_to_multiple
from pipeline.models.architectures.upsample import bilinear
from pipeline.models.architectures.vgg import Body

REVISION = 1
"""Raised when the same weights would say something else."""


class FCN32s(Body):
    """Stride 32, no skips. Parameters are those of the body it shares with FCN-16s and FCN-8s."""

    head = ("score.", "up32.")
    """Beginnings of the names of score and upsampling layers; the rest is the body."""
    per_class = head
    """Beginnings of the names whose shapes depend on the number of classes."""

    def __init__(self, bands: int, classes: int, **body: Any) -> None:
        super().__init__(bands, classes, **body)
        self.up32 = bilinear(classes, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → logits (batch, classes, rows, cols)."""
        logits: torch.Tensor = self.up32(self.coarse(self.pool4(self.pool3(pad_to_multiple(x, self.stride)))))
        return crop_like(logits, x)
