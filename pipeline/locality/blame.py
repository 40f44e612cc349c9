"""Which layers keep a network from being local, by the operations it runs and the modules it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.locality.probe import Prober

GLOBAL_MODULES = re.compile(r"GroupNorm|InstanceNorm|Adaptive\w*Pool|Global\w*Pool|Squeeze|^SE\w*(Module|Block|Layer)?$|SCSE|Attention|Transformer", re.I)
GLOBAL_OPS = {
    "native_group_norm": "group norm",
    "group_norm": "group norm",
    "instance_norm": "instance norm",
    "adaptive_avg_pool2d": "adaptive pooling",
    "_adaptive_avg_pool2d": "adaptive pooling",
    "adaptive_max_pool2d": "adaptive pooling",
    "_scaled_dot_product_flash_attention_for_cpu": "attention",
    "_scaled_dot_product_attention_math": "attention",
    "scaled_dot_product_attention": "attention",
    "bmm": "a product over pixels",
    "cumsum": "a running sum",
    "linspace": "coordinates",
    "arange": "coordinates",
}
DATA_OPS = {
    "_local_scalar_dense": "a branch on values",
    "item": "a branch on values",
    "is_nonzero": "a branch on values",
    "nonzero": "a branch on values",
    "grid_sampler_2d": "grid_sample",
    "grid_sampler": "grid_sample",
    "deform_conv2d": "deformable convolution",
}


@dataclass(slots=True)
class Suspects:
    """Layers and operations, in the order they were met."""

    everywhere: dict[str, None] = field(default_factory=dict)
    """They look at the whole image."""
    data: dict[str, None] = field(default_factory=dict)
    """Where they look depends on the pixels."""


def suspects(prober: Prober, side: int) -> Suspects:
    """Run one image and watch; then read the module tree."""
    found = Suspects()
    module = prober.network.module
    with _names(module) as stack, _Watch(found, stack):
        prober.see(prober.noise(side, side))
    for name, part in module.named_modules():
        kind = getattr(part, "original_name", type(part).__name__)
        if GLOBAL_MODULES.search(kind):
            found.everywhere[f"{name or 'network'} ({kind})"] = None
        if getattr(part, "align_corners", None) is True:
            found.everywhere[f"{name or 'network'} (align_corners)"] = None
    return found


@contextmanager
def _names(module: torch.nn.Module) -> Iterator[list[str]]:
    """Keep the path of the module that runs. ScriptModules never call hooks, so theirs stay unnamed."""
    stack: list[str] = []
    handles = []
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            continue
        handles.append(part.register_forward_pre_hook(lambda _m, _x, name=name: stack.append(name)))
        handles.append(part.register_forward_hook(lambda _m, _x, _y: _leave(stack)))
    try:
        yield stack
    finally:
        for handle in handles:
            handle.remove()


def _leave(stack: list[str]) -> None:
    stack.pop()


class _Watch(TorchDispatchMode):
    """Sees every operation, eager, scripted and exported alike."""

    def __init__(self, found: Suspects, stack: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it open
        self._found, self._stack = found, stack

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        where = f"{self._stack[-1]}: " if self._stack and self._stack[-1] else ""
        if name in DATA_OPS:
            self._found.data[where + DATA_OPS[name]] = None
        elif said := _global(name, args):
            self._found.everywhere[where + said] = None
        return func(*args, **(kwargs or {}))


def _global(name: str, args: tuple[Any, ...]) -> str | None:
    if name in GLOBAL_OPS:
        return GLOBAL_OPS[name]
    if name in ("mean", "sum", "amax", "max", "var_mean", "var", "std") and len(args) > 1 and _spatial(args[0], args[1]):
        return "global pooling"
    if name in ("batch_norm", "native_batch_norm") and len(args) > 5 and args[5] is True:
        return "normalisation by the image's own statistics"
    if name.startswith("upsample_") and any(arg is True for arg in args[2:3]):
        return "upsampling with align_corners"
    return None


def _spatial(x: Any, dims: Any) -> bool:
    if not isinstance(x, torch.Tensor) or x.ndim != 4:
        return False
    chosen = [dims] if isinstance(dims, int) else list(dims) if isinstance(dims, list | tuple) else []
    return any(dim % 4 in (2, 3) for dim in chosen)
