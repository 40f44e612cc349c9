"""Any input size: padded at the far edges up to the stride, and cropped again."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def pad_to_multiple(x: torch.Tensor, multiple: int) -> torch.Tensor:
    """(…, rows, cols) with 0 below and to the right, up to the next multiple.

    ::

        |iiiiiiiiiiiiiii|00|      cells of the stride begin at the near edge, whatever the size
    """
    rows, cols = x.shape[-2], x.shape[-1]
    return F.pad(x, (0, -(-cols // multiple) * multiple - cols, 0, -(-rows // multiple) * multiple - rows))


def crop_like(logits: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The part of padded logits that belongs to an image.

    Negative padding rather than a slice, which would export for one size only.
    """
    return F.pad(logits, (0, x.shape[-1] - logits.shape[-1], 0, x.shape[-2] - logits.shape[-2]))


def check_sizes(**sizes: int) -> None:
    """Refuse sizes that make no network.

    Raises
    ------
    ValueError
        One is below 1, or a kernel is even.
    """
    for name, size in sizes.items():
        if size < 1 or ("kernel" in name and size % 2 == 0):
            raise ValueError(f"{name} must be {'odd and ' if 'kernel' in name else ''}at least 1, not {size}")
