"""Where an operation stands in a network whose modules cannot be watched: read from its graphs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import torch

ALIASES = {
    "grid_sampler": "grid_sample",
    "grid_sampler_2d": "grid_sample",
    "upsample_bilinear2d": "interpolate",
    "upsample_bicubic2d": "interpolate",
}
"""Operations that TorchScript calls through a function of another name."""


def locate_op(module: torch.nn.Module, operation: str, nth: int, times: int) -> list[str]:
    """Paths of the modules of a scripted or exported network that hold an operation; none of an eager one.

    Where the graphs hold it as often as it ran, the ``nth`` is meant; with loops and functions in between, any of them
    may be.
    """
    names = {operation, ALIASES.get(operation, operation)}
    if isinstance(module, torch.fx.GraphModule):
        paths = [
            _exported(node) for node in module.graph.nodes if node.op == "call_function" and _name(node.target) in names
        ]
    elif isinstance(module, torch.jit.ScriptModule):
        paths = [path for name, path in _scripted(module, "forward", "") if name in names] or _inside(module, operation)
    else:
        return []
    return [paths[nth]] if len(paths) == times else list(dict.fromkeys(paths))


def _name(target: Any) -> str:
    return str(getattr(getattr(target, "overloadpacket", target), "__name__", ""))


def _exported(node: Any) -> str:
    """Path of the innermost module a node was traced in."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


def _scripted(part: torch.jit.ScriptModule, method: str, path: str) -> Iterator[tuple[str, str]]:
    """Operations and functions with the paths of their modules, in the order they run."""
    pending = list(part._c._get_method(method).graph.nodes())[::-1]
    while pending:
        node = pending.pop()
        pending += [inner for block in node.blocks() for inner in block.nodes()][::-1]
        if node.kind().startswith("aten::"):
            yield node.kind().removeprefix("aten::").rstrip("_"), path
        elif node.kind() == "prim::CallFunction":
            yield next(iter(node.inputs())).node().s("name"), path
        elif node.kind() == "prim::CallMethod":
            inside = _attributes(next(iter(node.inputs())).node())
            yield from _scripted(reduce(getattr, inside, part), node.s("name"), ".".join(filter(None, (path, *inside))))


def _attributes(node: Any) -> list[str]:
    """Names by which a module is reached from the one that calls it; none for itself."""
    return [*_attributes(next(iter(node.inputs())).node()), node.s("name")] if node.kind() == "prim::GetAttr" else []


def _inside(module: torch.nn.Module, operation: str) -> list[str]:
    """Innermost modules whose functions hold an operation, once every call is written out."""
    paths = [
        path
        for path, part in module.named_modules()
        if isinstance(part, torch.jit.ScriptModule) and _holds(part, operation)
    ]
    return [
        path
        for path in paths
        if not any(other != path and f"{other}.".startswith(f"{path}." if path else "") for other in paths)
    ]


def _holds(part: torch.jit.ScriptModule, operation: str) -> bool:
    if "forward" not in part._c._method_names():
        return False
    return bool(part._c._get_method("forward").inlined_graph.findAllNodes(f"aten::{operation}", True))
