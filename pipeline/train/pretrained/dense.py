"""Dense layers of a classifier as the convolutions fc6 and fc7, whole or decimated."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.errors import ModelError

VGG_GRID = 7
"""Rows and columns of what VGG flattens."""
DENSE_RULE = "dense layer as a convolution"


def as_convolution(key: str, weight: torch.Tensor, layer: nn.Conv2d, grid: int) -> tuple[torch.Tensor, str]:
    """The weight of a dense layer over ``grid``×``grid`` px as that of ``layer``, and the rule in words.

    A dense layer over flattened features is a convolution that covers them all (Long, Shelhamer & Darrell 2015, section 3.1). For
    a smaller ``layer`` it is decimated (Chen et al. 2015, section 3.1): channels at an even step, and taps spaced evenly over the grid::

        7 taps   0 1 2 3 4 5 6       5 taps   0 . 2 3 4 . 6       3 taps   0 . . 3 . . 6       1 tap   . . . 3 . . .

    Parameters
    ----------
    key
        Name of the weight, for messages.
    weight
        (outputs, inputs), or (outputs, channels·grid²).
    layer
        The convolution that takes it.
    grid
        7 for fc6, 1 for fc7.

    Raises
    ------
    ModelError
        The numbers of channels do not divide, or the kernel is larger than the grid.
    """
    if weight.ndim != 2 or weight.shape[1] % grid**2:
        raise ModelError(f"{key} is {tuple(weight.shape)}, and VGG16's is outputs × channels·{grid}². Give the weights of a VGG16.")
    whole = weight.view(weight.shape[0], -1, grid, grid)
    kernel = layer.kernel_size[0]
    steps = [_step(key, have, want) for have, want in ((whole.shape[0], layer.out_channels), (whole.shape[1], layer.in_channels))]
    if kernel > grid:
        raise ModelError(f"{key} covers {grid} × {grid} px, and fc_kernel asks for {kernel}. Set model.args.fc_kernel to {grid} or a smaller odd number.")
    at = taps(kernel, grid)
    convolution = whole[:: steps[0], :: steps[1]][:, :, at][:, :, :, at]
    return convolution, DENSE_RULE if steps == [1, 1] and kernel == grid else f"{DENSE_RULE}, decimated"


def every(bias: torch.Tensor, layer: nn.Conv2d) -> torch.Tensor:
    """The biases of the channels that decimation keeps."""
    return bias[:: max(1, bias.shape[0] // layer.out_channels)]


def taps(kernel: int, grid: int) -> list[int]:
    """Which of ``grid`` taps are kept, symmetric about the middle."""
    if kernel == 1:
        return [grid // 2]
    left = [i * (grid - 1) // (kernel - 1) + (i * (grid - 1) % (kernel - 1) > 0) for i in range(kernel // 2)]
    return [*left, grid // 2, *(grid - 1 - i for i in reversed(left))]


def _step(key: str, have: int, want: int) -> int:
    if have % want:
        raise ModelError(
            f"{key} has {have} channels, of which {want} cannot be taken at an even step. Set model.args.width to 64 and "
            "model.args.fc_width to 64, or to a half, a quarter or less of it (32, 16, 8 …), for the weights of a VGG16."
        )
    return have // want
