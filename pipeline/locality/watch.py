"""Watching a network run: its operations, eager, scripted and exported alike, and which of them look at pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from pipeline.protocols import Network

GLOBAL = {
    "native_group_norm": "group norm",
    "group_norm": "group norm",
    "instance_norm": "instance norm",
    "adaptive_avg_pool2d": "adaptive pooling",
    "_adaptive_avg_pool2d": "adaptive pooling",
    "adaptive_max_pool2d": "adaptive pooling",
    "_scaled_dot_product_flash_attention_for_cpu": "attention",
    "_scaled_dot_product_attention_math": "attention",
    "scaled_dot_product_attention": "attention",
    "_native_multi_head_attention": "attention",
    "bmm": "a product over pixels",
    "cumsum": "a running sum",
}
POSITIONS = {"linspace": "coordinates", "arange": "coordinates", "affine_grid_generator": "coordinates"}
BRANCHES = {"_local_scalar_dense", "item", "is_nonzero", "nonzero", "cond"}
SAMPLERS = {"grid_sampler_2d": ("grid_sample", 1), "grid_sampler": ("grid_sample", 1), "deform_conv2d": ("deformable convolution", 2)}
"""What it is called, and the argument that says where to look."""
REDUCTIONS = {"mean", "sum", "amax", "max", "var_mean", "var", "std"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One operation that speaks against tiles."""

    why: str
    """``everywhere``, ``positions`` or ``data``."""
    words: str
    operation: str
    """Torch's name of it."""
    module: str
    """Path of the module that ran, as far as hooks tell."""


class Watch(TorchDispatchMode):
    """Notes operations that look at the whole image, at positions, or where the pixels say.

    What descends from the input is followed, so that arithmetic on sizes, which traced networks do with tensors, is no
    branch on values.
    """

    supports_higher_order_operators = True  # torch.cond passes through here as well

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it open
        self.seen: list[Seen] = []
        self._module = module
        self._stack: list[str] = []
        self._pixels: Any = WeakTensorKeyDictionary()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, for seconds

    def __call__(self, network: Network, x: torch.Tensor) -> torch.Tensor:
        """Run a network on an image and note what it does."""
        self._pixels[x] = True
        with self._named(), self:
            return network(x)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "overloadpacket", func).__name__
        found = _why(name, args, self._follows)
        if found:
            self.seen.append(Seen(why=found[0], words=found[1], operation=name, module=self._stack[-1] if self._stack else ""))
        returned = func(*args, **(kwargs or {}))
        if self._follows((args, kwargs)):
            self._pixels.update((leaf, True) for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor))
        return returned

    def _follows(self, values: Any) -> bool:
        return any(isinstance(leaf, torch.Tensor) and leaf in self._pixels for leaf in tree_leaves(values))

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Keep the path of the module that runs. ScriptModules never call hooks, so theirs stay unnamed."""
        handles = []
        for name, part in self._module.named_modules():
            if not isinstance(part, torch.jit.ScriptModule):
                handles.append(part.register_forward_pre_hook(lambda _m, _x, name=name: self._stack.append(name)))
                handles.append(part.register_forward_hook(lambda _m, _x, _y: self._leave()))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _leave(self) -> None:
        self._stack.pop()


def _why(name: str, args: tuple[Any, ...], follows: Any) -> tuple[str, str] | None:
    """Why an operation speaks against tiles, and in which words."""
    if name in BRANCHES:
        return ("data", "a branch on values") if follows(args[:1]) else None
    if name in SAMPLERS:
        words, where = SAMPLERS[name]
        return ("data" if follows(args[where : where + 1]) else "positions"), words
    if name in POSITIONS:
        return "positions", POSITIONS[name]
    everywhere = _global(name, args)
    return ("everywhere", everywhere) if everywhere else None


def _global(name: str, args: tuple[Any, ...]) -> str | None:
    if name in GLOBAL:
        return GLOBAL[name]
    if name in REDUCTIONS and len(args) > 1 and _spatial(args[0], args[1]):
        return "global pooling"
    if name in ("batch_norm", "native_batch_norm") and len(args) > 5 and args[5] is True:
        return "normalisation by the image's own statistics"
    if name.startswith("upsample_") and any(arg is True for arg in args[2:3]):
        return "align_corners"
    return None


def _spatial(x: Any, dims: Any) -> bool:
    if not isinstance(x, torch.Tensor) or x.ndim != 4:
        return False
    chosen = [dims] if isinstance(dims, int) else list(dims) if isinstance(dims, list | tuple) else []
    return any(dim % 4 in (2, 3) for dim in chosen)
