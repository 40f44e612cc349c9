"""Where an operation stands in a network whose modules cannot be watched: read from its graphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

ALIASES = {"grid_sampler": "grid_sample", "grid_sampler_2d": "grid_sample", "upsample_bilinear2d": "interpolate", "upsample_bicubic2d": "interpolate"}
"""Operations that TorchScript calls through a function of another name."""


def places(module: torch.nn.Module, operation: str) -> list[str]:
    """Paths of the modules of a scripted or exported network that hold an operation; none of an eager one."""
    names = {operation, ALIASES.get(operation, operation)}
    if isinstance(module, torch.fx.GraphModule):
        found = (_exported(node) for node in module.graph.nodes if node.op == "call_function" and _name(node.target) in names)
    else:
        found = (path for path, part in module.named_modules() if isinstance(part, torch.jit.ScriptModule) and names & set(_scripted(part)))
    return list(dict.fromkeys(found))


def _name(target: Any) -> str:
    return str(getattr(getattr(target, "overloadpacket", target), "__name__", ""))


def _exported(node: Any) -> str:
    """Path of the innermost module a node was traced in."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


def _scripted(part: torch.jit.ScriptModule) -> Iterator[str]:
    """Operations and functions that stand in a module's own methods."""
    compiled = part._c
    pending = [node for name in compiled._method_names() for node in compiled._get_method(name).graph.nodes()]
    while pending:
        node = pending.pop()
        pending += [inner for block in node.blocks() for inner in block.nodes()]
        if node.kind().startswith("aten::"):
            yield node.kind().removeprefix("aten::").rstrip("_")
        elif node.kind() == "prim::CallFunction":
            yield next(iter(node.inputs())).node().s("name")
