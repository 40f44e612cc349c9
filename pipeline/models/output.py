"""What networks return, brought to one form: logits at the input's size."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from pipeline.errors import ModelError


def logits(returned: Any, key: str, height: int, width: int) -> torch.Tensor:
    """Logits (1, classes, rows, cols) float32 at the input's size.

    Parameters
    ----------
    returned
        A tensor, a mapping with ``key`` (or ``out``), a tuple (its first entry counts), or an object with ``.logits``.
    key
        ``auto``, or the key of a mapping or index of a tuple.
    height, width
        Size of the input, px. Logits smaller by a whole factor are upsampled bilinearly (align_corners=False).

    Raises
    ------
    ModelError
        What is returned is none of these.
    """
    tensor = _pick(returned, key)
    if tensor.ndim != 4:
        raise ModelError(f"The network returned a tensor of shape {tuple(tensor.shape)}; segmentation needs (batch, classes, rows, cols).")
    tensor = tensor.to(torch.float32)
    if tensor.shape[2:] == (height, width):
        return tensor
    if height % tensor.shape[2] or width % tensor.shape[3] or height // tensor.shape[2] != width // tensor.shape[3]:
        raise ModelError(
            f"The network returned {tuple(tensor.shape[2:])} for an input of {(height, width)}; only a size smaller by a whole factor can be restored."
        )
    return F.interpolate(tensor, size=(height, width), mode="bilinear", align_corners=False)


def _pick(returned: Any, key: str) -> torch.Tensor:
    if isinstance(returned, torch.Tensor):
        return returned
    found: Any = None
    if isinstance(returned, dict):
        found = returned.get("out" if key == "auto" else key)
    elif isinstance(returned, tuple | list) and returned:
        found = returned[0 if key == "auto" else int(key)]
    elif hasattr(returned, "logits"):
        found = returned.logits
    if isinstance(found, torch.Tensor):
        return found
    keys = f" with keys {sorted(map(str, returned))}" if isinstance(returned, dict) else ""
    raise ModelError(
        f"The network returned {type(returned).__name__}{keys}, in which model.output.key {key!r} finds no tensor. Name the entry that holds the logits."
    )
