"""The class of the largest logit on a processor, strip by strip, so that each strip stays in a core's cache."""

from __future__ import annotations

import torch

from pipeline.inference.plane_winner import MAX_BYTE_CLASSES, WinnerScratch
from pipeline.runtime.backends import backend_of

CACHED_PX = 2**16
"""Pixels of a strip: a plane of float32 takes 256 KiB."""
CACHED_NUMBERS = 2**18
"""Numbers of a strip whose classes lie side by side and are brought apart: 1 MiB."""
MAX_CLASSES_APART = 32
"""Classes side by side from which torch is as fast: to bring them apart takes what is gained."""


def largest_class(logits: torch.Tensor) -> torch.Tensor:
    """The class of the largest logit; of equals the lowest, and the first NaN of a pixel that has any.

    torch reduces an axis of classes pixel by pixel. On a CPU that takes 16 ms for a million pixels of four classes
    plane by plane, and 1 ms here; side by side 14 ms, and 4 ms here.

    Parameters
    ----------
    logits
        (classes, rows, cols) floating, on any device.

    Returns
    -------
    torch.Tensor
        (rows, cols) uint8 of up to 256 classes on a CPU, else int64.
    """
    by_planes = logits.stride(2) == 1
    maximum = MAX_BYTE_CLASSES if by_planes else MAX_CLASSES_APART
    if backend_of(logits.device).copies or logits.dtype != torch.float32 or not 1 < len(logits) <= maximum:
        return logits.max(0).indices  # of equals the first; several times faster than argmax over a strided class axis
    return _by_strips(logits.detach(), CACHED_PX if by_planes else CACHED_NUMBERS // len(logits))


def _by_strips(logits: torch.Tensor, strip_px: int) -> torch.Tensor:
    classes, rows, cols = logits.shape
    height = max(1, min(strip_px // max(cols, 1), rows))
    winner, scratch = torch.empty((rows, cols), dtype=torch.uint8), WinnerScratch(height, cols)
    strip = None if logits.stride(2) == 1 else torch.empty((classes, height, cols))
    for row in range(0, rows, height):
        planes = logits[:, row : row + height]
        if strip is not None:
            planes = strip[:, : planes.shape[1]].copy_(planes)
        scratch.find_winner(planes.numpy(), winner[row : row + height].numpy())
    return winner
