"""A dilated ResNet with a fully convolutional head.

Takes the state dicts of torchvision's ``fcn_resnet50`` and ``fcn_resnet101``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from pipeline.models.architectures.resnet import EXPANSION, RESNET_STRIDE, ResNet
from pipeline.models.architectures.sizes import check_sizes, crop_like, pad_to_multiple

REVISION = 1
"""Raised when the same weights would say something else."""


class ResNetFCN(nn.Module):
    """Dilated ResNet, a 3×3 convolution, scores at stride 8, bilinear upsampling.

    On sizes that are no multiple of 8 torchvision stretches the scores to the image; here the image is padded, so that
    cells stay 8 px apart and tiles equal the whole. The auxiliary head of training is no part of it.

    Parameters
    ----------
    bands
        Input bands.
    classes
        Output channels.
    depth
        50 or 101.
    width
        Channels of the first convolution; 64 is the original.

    Raises
    ------
    ValueError
        A size is below 1, or the depth is another.
    """

    unused = ("aux_classifier.",)
    """Beginnings of keys that state dicts may hold beside it."""
    head = ("classifier.",)
    """Beginnings of the names of score and upsampling layers; the rest is the body."""
    per_class = ("classifier.4.",)
    """Beginnings of the names whose shapes depend on the number of classes."""

    def __init__(self, bands: int, classes: int, depth: int = 50, width: int = 64) -> None:
        super().__init__()
        check_sizes(bands=bands, classes=classes, width=width)
        self.stride = RESNET_STRIDE
        self.backbone = ResNet(bands, depth, width)
        features = 8 * width * EXPANSION
        hidden = features // 4
        self.classifier = nn.Sequential(
            nn.Conv2d(features, hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(0.1),
            nn.Conv2d(hidden, classes, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → logits (batch, classes, rows, cols)."""
        scores = self.classifier(self.backbone(pad_to_multiple(x, self.stride)))
        logits = F.interpolate(scores, scale_factor=8.0, mode="bilinear", align_corners=False)
        return crop_like(logits, x)
