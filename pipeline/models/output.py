"""What networks return, brought to one form: logits at the input's size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F

from pipeline.errors import ModelError

KEYS = ("out", "logits")
"""Entries of a mapping that are looked for: torchvision's word and transformers'."""


def logits(returned: Any, key: str, height: int, width: int) -> torch.Tensor:
    """Logits (n, classes, rows, cols) float32 at the input's size.

    Parameters
    ----------
    returned
        A tensor, a mapping with ``key`` (or ``out`` or ``logits``), a tuple (its first entry counts), or an object with ``.logits``.
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
        raise ModelError(
            f"The network returned a tensor of shape {tuple(tensor.shape)}; segmentation needs (batch, classes, rows, cols). "
            "A classifier of images gives maps with model.kind: classifier and a factory that builds it."
        )
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
    if isinstance(returned, Mapping):
        found = next((returned[name] for name in (KEYS if key == "auto" else (key,)) if name in returned), None)
    elif isinstance(returned, tuple | list):
        index = 0 if key == "auto" else int(key) if key.isdecimal() else len(returned)
        found = returned[index] if index < len(returned) else None
    elif hasattr(returned, "logits"):
        found = returned.logits
    if isinstance(found, torch.Tensor):
        return found
    raise ModelError(f"The network returned {_described(returned)}, in which model.output.key {key!r} finds no tensor. Name the entry that holds the logits.")


def _described(returned: Any) -> str:
    if isinstance(returned, Mapping):
        return f"{type(returned).__name__} with keys {sorted(map(str, returned))}"
    if isinstance(returned, tuple | list):
        return f"{type(returned).__name__} of {', '.join(type(entry).__name__ for entry in returned) or 'nothing'}"
    return type(returned).__name__
