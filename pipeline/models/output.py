"""What networks return, brought to one form: logits at the input's size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.errors import ModelError

if TYPE_CHECKING:
    import torch

KEYS = ("out", "logits")
"""Entries of a mapping that are looked for: torchvision's word and transformers'."""


def logits(returned: Any, key: str, height: int, width: int, batch: int | None = None) -> torch.Tensor:
    """Logits (n, classes, rows, cols) float32 at the input's size.

    Parameters
    ----------
    returned
        A tensor, a mapping with ``key`` (or ``out`` or ``logits``), a tuple (its first entry counts), or an object with
        ``.logits``.
    key
        ``auto``, or the key of a mapping, the index of a tuple, or an attribute.
    height, width
        Size of the input, px. Logits smaller by a whole factor are upsampled bilinearly (align_corners=False).
    batch
        Images that went in; None where nobody knows.

    Raises
    ------
    ModelError
        What is returned is none of these, of another batch, or class numbers.
    """
    import torch
    import torch.nn.functional as F

    tensor = require_scores(returned, key, batch).to(torch.float32)
    if tensor.shape[2:] == (height, width):
        return tensor
    if height % tensor.shape[2] or width % tensor.shape[3] or height // tensor.shape[2] != width // tensor.shape[3]:
        raise size_error(tuple(tensor.shape[2:]), (height, width))
    return F.interpolate(tensor, size=(height, width), mode="bilinear", align_corners=False)


def size_error(returned: tuple[int, ...], given: tuple[int, int]) -> ModelError:
    """Of scores whose size, px, is not that of the input divided by a whole number."""
    return ModelError(
        f"The network returned {returned} for an input of {given}; only a size "
        f"smaller by a whole factor can be restored."
    )


def entry(returned: Any, key: str) -> str:
    """The one name of what a key finds in what a network returned: its key or place.

    The key itself where there is nothing to choose or to find.
    """
    import torch

    if isinstance(returned, torch.Tensor):
        return "auto"
    tensors = entries(returned)
    chosen = chosen_name(tensors, key)
    return chosen if chosen in tensors else key


def require_scores(returned: Any, key: str, batch: int | None = None) -> torch.Tensor:
    """The scores (n, classes, rows, cols) as they are returned, at whatever size; raises as `logits` does."""
    tensor = pick(returned, key)
    _check(tensor, batch)
    return tensor


def _check(tensor: torch.Tensor, batch: int | None) -> None:
    """Raise ModelError where a tensor is no scores of each image of a batch."""
    shape = tuple(tensor.shape)
    if not tensor.is_floating_point() and tensor.ndim in (2, 3, 4):
        raise ModelError(
            f"The network returned class numbers, a tensor of {str(tensor.dtype).removeprefix('torch.')} of "
            f"shape {shape}, not a score for each class. "
            "Let it return what its argmax or threshold is given, or export it without that step."
        )
    if tensor.ndim == 5:
        raise ModelError(
            f"The network returned a tensor of shape {shape}, as 3-D networks do. Give one that returns "
            f"(batch, classes, rows, cols)."
        )
    if tensor.ndim != 4:
        raise ModelError(
            f"The network returned a tensor of shape {shape}; segmentation needs (batch, classes, rows, cols). "
            "A classifier of images gives maps with model.kind: classifier and a factory that builds it."
        )
    if batch is not None and len(tensor) != batch:
        raise ModelError(
            f"The network returned a tensor of shape {shape} for a batch of {batch}: its first axis is not "
            f"that of the images. {THREE_DIMENSIONS}"
        )


THREE_DIMENSIONS = (
    "A network of three dimensions (Conv3d) takes bands for depth and images for channels: give one that "
    "takes images of (batch, bands, rows, cols), or wrap "
    "it in a module that adds the axis and takes it away."
)


def pick(returned: Any, key: str) -> torch.Tensor:
    """The tensor that is meant; raises ModelError where there is none."""
    import torch

    if isinstance(returned, torch.Tensor):
        return returned
    tensors = entries(returned)
    chosen = _select_entry(tensors, key) if key != "auto" else _default_entry(tensors)
    if chosen is not None:
        return chosen
    raise ModelError(
        f"The network returned {_described(returned, tensors)}, in which model.output.key {key!r} finds no "
        f"tensor. Name the entry that holds the logits."
    )


def entries(returned: Any) -> dict[str, torch.Tensor]:
    """The tensors of whatever a network returns, by key, by place from 0 or by attribute, in order."""
    import torch

    if isinstance(returned, torch.Tensor):
        return {"0": returned}
    if isinstance(returned, Mapping):
        pairs = [(str(name), value) for name, value in returned.items()]
    elif isinstance(returned, tuple | list):
        pairs = [(str(k), value) for k, value in enumerate(returned)]
    else:
        pairs = list(getattr(returned, "__dict__", {}).items())
        pairs += [("logits", returned.logits)] if hasattr(returned, "logits") else []
    return {name: value for name, value in pairs if isinstance(value, torch.Tensor)}


def chosen_name(tensors: dict[str, torch.Tensor], key: str) -> str:
    """Name of the entry that is meant."""
    chosen = _select_entry(tensors, key) if key != "auto" else _default_entry(tensors)
    return next((name for name, tensor in tensors.items() if tensor is chosen), "none")


def shapes(tensors: Mapping[str, Any]) -> str:
    """Names and shapes, in words."""
    return ", ".join(f"{name} {tuple(getattr(value, 'shape', value))}" for name, value in tensors.items())


def _select_entry(tensors: dict[str, torch.Tensor], key: str) -> torch.Tensor | None:
    if key in tensors:
        return tensors[key]
    place = key.removeprefix("-")
    last = len(tensors) - int(place) if place.isdecimal() and key != place else -1
    return list(tensors.values())[last] if 0 <= last < len(tensors) else None


def _default_entry(tensors: dict[str, torch.Tensor]) -> torch.Tensor | None:
    """The entry of a usual name, else the first of a tuple, else the only one."""
    return next(
        (tensors[name] for name in (*KEYS, "0") if name in tensors),
        next(iter(tensors.values())) if len(tensors) == 1 else None,
    )


def _described(returned: Any, tensors: dict[str, torch.Tensor]) -> str:
    kind = type(returned).__name__
    if tensors:
        return f"{kind} with the tensors {shapes(tensors)}"
    if isinstance(returned, Mapping):
        return f"{kind} with keys {sorted(map(str, returned))}"
    return (
        f"{kind} of {', '.join(type(entry).__name__ for entry in returned) or 'nothing'}"
        if isinstance(returned, tuple | list)
        else kind
    )
