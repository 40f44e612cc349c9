"""What speaks against tiles in one operation: by its name and arguments, or by how far it carried a change.

And the name of its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

POSITIONS = {"linspace": "coordinates", "arange": "coordinates", "affine_grid_generator": "coordinates"}
BRANCHES = {"_local_scalar_dense", "item", "is_nonzero", "nonzero", "cond"}
SAMPLERS = {
    "grid_sampler_2d": ("grid_sample", 1),
    "grid_sampler": ("grid_sample", 1),
    "deform_conv2d": ("deformable convolution", 2),
}
"""What it is called, and the argument that says where to look."""
LOOKUPS = {"gather": (1, 2), "index": (0, 1), "index_select": (1, 2), "take": (None, 1), "take_along_dim": (2, 1)}
"""The arguments that give the axis, if any, and the index."""
ORDERED = {
    "cumsum": "a running sum",
    "sort": "an order of pixels",
    "flip": "a mirror image",
    "roll": "a roll from end to end",
}
"""They move pixels across the image, or along it in one direction, so that no share tells them."""
SPREADING = {
    "native_group_norm": "group norm",
    "group_norm": "group norm",
    "instance_norm": "instance norm",
    "layer_norm": "layer norm over pixels",
    "native_layer_norm": "layer norm over pixels",
    "scaled_dot_product_attention": "attention",
    "_native_multi_head_attention": "attention",
    "softmax": "a softmax over pixels",
    "matmul": "a product over pixels",
    "bmm": "a product over pixels",
    "einsum": "a product over pixels",
    "linalg_vector_norm": "a norm over pixels",
    "norm": "a norm over pixels",
    "topk": "a choice among pixels",
    "batch_norm": "normalisation by the image's own statistics",
    "native_batch_norm": "normalisation by the image's own statistics",
}
"""Words for what was seen to carry a change everywhere."""
POOLING = {"mean", "sum", "amax", "amin", "max", "min", "var_mean", "var", "std", "median", "logsumexp"}
BOUNDED = (
    "conv",
    "_conv",
    "slow_conv",
    "thnn_conv",
    "max_pool",
    "avg_pool",
    "max_unpool",
    "upsample",
    "pad",
    "reflection_pad",
    "replication_pad",
)
"""Beginnings of names: they reach as far as their kernel, be the image ever so small."""
FEW_CHANGED, MOST_CHANGED = 0.6, 0.9
"""Shares of changed values: an operation that is given at most the one and returns at least the other looked
everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation as it ran."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    returned: Any
    follows: Callable[[Any], bool]
    """Whether anything in a value descends from the image."""
    learned: Callable[[Any], bool]
    """Whether anything in a value is a weight or buffer."""

    def given(self, place: int, name: str) -> Any:
        """An argument by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name)


def nonlocal_reason(call: Call) -> tuple[str, str] | None:
    """Why an operation speaks against tiles, and in which words.

    The reason is ``everywhere``, ``positions``, ``data`` or, perhaps, ``table``.
    """
    if call.name in BRANCHES:
        return ("data", "a branch on values") if call.follows(call.args[:1]) else None
    if call.name in SAMPLERS:
        text, where = SAMPLERS[call.name]
        return ("data" if call.follows(call.args[where : where + 1]) else "positions"), text
    if call.name in LOOKUPS and _looks_up(call):
        return "data", "a lookup where pixels say"
    if call.name in POSITIONS:
        return "positions", POSITIONS[call.name]
    if _table(call):
        return "table", "a table of positions"
    everywhere = _everywhere(call)
    return ("everywhere", everywhere) if everywhere else None


def spreads_everywhere(call: Call, share_before: float, share_after: float) -> tuple[str, str] | None:
    """The same for an operation that was given so large a share of changed values and returned another."""
    if share_before > FEW_CHANGED or share_after < MOST_CHANGED or call.name.startswith(BOUNDED):
        return None
    text = (
        "global pooling"
        if call.name in POOLING
        else "a Fourier transform"
        if call.name.startswith("fft_")
        else call.name
    )
    return "everywhere", SPREADING.get(call.name, text)


def _looks_up(call: Call) -> bool:
    """Whether pixels are taken from where other pixels say.

    Tables that are learned, and choices among channels, look nowhere else.
    """
    axis, where = LOOKUPS[call.name]
    index = [leaf for leaf in tree_leaves(call.args[where : where + 1]) if isinstance(leaf, torch.Tensor)]
    if (
        axis is not None
        and call.name != "index"
        and _channel(call.args[0], call.args[axis if len(call.args) > axis else -1])
    ):
        return False
    return call.follows(call.args[:1]) and call.follows(index)


def _everywhere(call: Call) -> str | None:
    x = call.args[0] if call.args else None
    if not isinstance(x, torch.Tensor) or not call.follows(x):
        return None
    if call.name in ORDERED:
        return None if all(_channel(x, dim) for dim in _dims(call)) else ORDERED[call.name]
    if "adaptive_" in call.name and "_pool" in call.name:
        return "adaptive pooling"
    if call.name == "pad" and call.given(2, "mode") == "circular":
        return "circular padding"
    return _resized(call, x) if call.name.startswith("upsample_") else _pooled(call, x)


def _dims(call: Call) -> Iterator[int]:
    """Axes that an ordered operation runs along; the last, where it says none."""
    dims = call.given(2 if call.name == "roll" else 1, "dims" if call.name in ("roll", "flip") else "dim")
    return (
        dim
        for dim in tree_leaves(dims if dims not in (None, ()) else [-1])
        if isinstance(dim, int) and not isinstance(dim, bool)
    )


def _channel(x: Any, dim: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.ndim == 4 and isinstance(dim, int) and dim % 4 in (0, 1)


def _resized(call: Call, x: torch.Tensor) -> str | None:
    if any(arg is True for arg in call.args[2:3]):
        return "align_corners"
    (rows, cols), (height, width) = x.shape[-2:], call.returned.shape[-2:]
    uneven = abs(rows * width - cols * height) > 0.2 * rows * width
    return "a resize to a fixed size" if uneven and (height < rows or width < cols) else None


def _pooled(call: Call, x: torch.Tensor) -> str | None:
    """Pooling over whole axes of an image; what comes out is not much larger than a pixel."""
    if call.name not in POOLING or x.ndim != 4 or len(call.args) < 2:
        return None
    dims = [dim for dim in tree_leaves(call.args[1]) if isinstance(dim, int) and not isinstance(dim, bool)]
    return "global pooling" if any(dim % 4 in (2, 3) for dim in dims) else None


def _table(call: Call) -> bool:
    """Whether a weight or buffer was cut or stretched.

    Whether to the size of the image, two images of other shapes tell.
    """
    given = next(iter(call.args), None)
    return (
        isinstance(given, torch.Tensor)
        and call.learned(given)
        and not call.follows((call.args, call.kwargs))
        and isinstance(call.returned, torch.Tensor)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NonLocalOps:
    """Layers and operations that speak against tiles, in the order they were met."""

    everywhere: tuple[str, ...]
    """They look at the whole image."""
    positions: tuple[str, ...]
    """They know where in the image they are."""
    data: tuple[str, ...]
    """Where they look, or whether, depends on the pixels."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every one of them."""
        return self.everywhere + self.positions + self.data
