"""Convolutionalisation: a classifier of the form features → flatten → dense layers, run on images of any size.

A dense layer over flattened features is a convolution whose kernel covers them all (Long, Shelhamer & Darrell 2015,
section 3.1). On the training size it gives one score per class, identical to the classifier's; on a larger image a map
of them, one for each window of the training size::

    |---- window 0 ----|                      the score of window k belongs to its centre, k·stride + size/2;
        |---- window 1 ----|                  each pixel takes the score of the nearest centre
    |000000000000|1111|22222222222222|
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.models.architectures.dense_to_conv import as_convolutions

REVISION = 1
"""Raised when the same weights would say something else."""
STRIDE_SEARCH_PX = 4096
"""Px beyond the training size at which a second score must have appeared."""
SCORE_TOLERANCE = 1e-5
"""Of the largest score."""


class Convolutional(nn.Module):
    """A classifier as a fully convolutional network.

    Parameters
    ----------
    classifier
        Takes (batch, bands, size, size), returns (batch, classes). It is copied.
    bands
        Input bands.
    size
        Training size, px.

    Raises
    ------
    ValueError
        It is of another form, or its scores change on the way.
    """

    def __init__(self, classifier: nn.Module, bands: int, size: int) -> None:
        super().__init__()
        self.body = as_convolutions(classifier, bands, size)
        _compare(classifier, self.body, bands, size)
        self.bands = bands
        self.size = size
        self.stride = _stride(self.body, bands, size)

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols) → (batch, classes, ⌊(rows − size)/stride⌋ + 1, ⌊(cols − size)/stride⌋ + 1)."""
        scores: torch.Tensor = self.body(x)
        return scores[
            :, :, : (x.shape[2] - self.size) // self.stride + 1, : (x.shape[3] - self.size) // self.stride + 1
        ]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, bands, rows, cols), at least ``size`` each → logits (batch, classes, rows, cols).

        The score of the nearest window.
        """
        scores = self.scores(x)
        rows, cols = self.nearest(x.shape[2], x.device), self.nearest(x.shape[3], x.device)
        return scores.index_select(2, rows).index_select(3, cols)

    def nearest(self, length: int, device: torch.device) -> torch.Tensor:
        """Window whose centre is nearest to each of ``length`` px, (length,) int64."""
        doubled = 2 * torch.arange(length, device=device) + 1 - self.size + self.stride
        return torch.div(doubled, 2 * self.stride, rounding_mode="floor").clamp(0, (length - self.size) // self.stride)


def difference_from_sliding(network: Convolutional, windows: int = 3, seed: int = 0) -> float:
    """How far the map is from the classifier slid over an image: 0 to rounding where nothing in the body pads.

    Padding puts zeros at the edges of each window when the classifier is slid, and at the edges of the image alone
    here.

    Parameters
    ----------
    network
        In eval mode.
    windows
        Per axis.
    seed
        Of the image, of standard normal pixels.

    Returns
    -------
    float
        Largest difference, in standard deviations of the slid classifier's scores.
    """
    side = network.size + (windows - 1) * network.stride
    device = next(network.parameters()).device
    x = torch.randn((1, network.bands, side, side), generator=torch.Generator().manual_seed(seed)).to(device)
    with torch.inference_mode():
        expected = sliding_scores(network.scores, x, network.size, network.stride)
        return float((network.scores(x) - expected).abs().max() / expected.std())


def sliding_scores(classifier: nn.Module | object, x: torch.Tensor, size: int, stride: int) -> torch.Tensor:
    """A classifier on every window of an image, (1, classes, rows, cols): what the map is compared with."""
    assert callable(classifier)
    lines = [
        torch.cat(
            [
                classifier(x[:, :, row : row + size, col : col + size]).flatten(1)[:, :, None]
                for col in range(0, x.shape[3] - size + 1, stride)
            ],
            2,
        )
        for row in range(0, x.shape[2] - size + 1, stride)
    ]
    return torch.stack(lines, 2)


def _compare(classifier: nn.Module, body: nn.Module, bands: int, size: int) -> None:
    x = torch.randn((1, bands, size, size), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, actual = classifier.eval()(x), body.eval()(x)
    if actual.shape != (*expected.shape, 1, 1):
        raise ValueError(
            f"one window gives scores of shape {tuple(actual.shape)} as convolutions and "
            f"{tuple(expected.shape)} as dense layers"
        )
    deviation = float((actual[:, :, 0, 0] - expected).abs().max())
    if not deviation <= SCORE_TOLERANCE * max(float(expected.abs().max()), 1e-6):
        raise ValueError(f"its scores change by {deviation:.2g} when dense layers become convolutions")


def _stride(body: nn.Module, bands: int, size: int) -> int:
    """Px between windows: the second score and the third appear one stride apart."""
    lengths: list[int] = []
    for length in range(size, size + STRIDE_SEARCH_PX):
        if _rows(body, bands, length, size) > len(lengths) + 1:
            lengths.append(length)
            if len(lengths) == 2:
                return lengths[1] - lengths[0]
    raise ValueError(
        f"no second score appears up to {size + STRIDE_SEARCH_PX} px: something in it shrinks every image to one size"
    )


def _rows(body: nn.Module, bands: int, rows: int, cols: int) -> int:
    from torch._subclasses.fake_tensor import FakeTensorMode  # shapes alone, without arithmetic

    with FakeTensorMode(allow_non_fake_inputs=True), torch.inference_mode():
        return int(body(torch.empty((1, bands, rows, cols))).shape[2])
