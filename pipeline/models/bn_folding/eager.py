"""Modules of Python code: a symbolic trace is the evidence of what follows what.

The code itself goes on running, on a copy with other weights.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn

from pipeline.models.bn_folding.arithmetic import Norm, fits, folded, folding_message
from pipeline.models.weights.file_type import first_line

CONVOLUTION_MODULES = {nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d}
NORM_MODULES = {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm}
"""These and none derived from them, which may do anything else."""


def fold(module: nn.Module) -> tuple[nn.Module | None, str]:
    """A copy with batch norm folded in, or None; and what was done, or why nothing was."""
    if not any(type(part) in NORM_MODULES for part in module.modules()):
        return None, "there is none"
    if any(_hooked(part) for part in module.modules()):
        return None, "hooks of the network's modules may look at what is between the layers"
    try:
        evidence = _Tracer.collect_evidence(_shared(module))
        merged = _shared(module)
        pairs = list(_pairs(merged, evidence))
        for convolution, norm in pairs:
            _merge(merged, convolution, norm)
        if pairs and not _same(evidence, _Tracer.collect_evidence(_shared(merged))):
            return None, "its code reaches layers by names of its own"
    except Exception as error:  # the network's code raises whatever it does not expect
        return None, f"which layers run depends on the image, or cannot be seen ({first_line(error)})"
    return (
        (merged, folding_message(len(pairs)))
        if pairs
        else (None, "none follows a convolution that nothing else looks at")
    )


def _hooked(part: nn.Module) -> bool:
    return bool(part._forward_hooks or part._forward_pre_hooks) or "forward" in vars(part)


def _shared(module: nn.Module) -> nn.Module:
    """A copy of everything but the parameters. Buffers are copied, since code may write to them."""
    return copy.deepcopy(module, {id(parameter): parameter for parameter in module.parameters()})


class _Tracer(fx.Tracer):
    """Torch's own, that notes which tensors the code takes for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.accessed_ids: set[int] = set()

    @staticmethod
    def collect_evidence(module: nn.Module) -> _Evidence:
        tracer = _Tracer()
        with _compiling():
            return _Evidence(tracer.trace(module), tracer)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Called for whatever is asked of a module by code that is followed, and not within torch's own layers."""
        if isinstance(attr_val, torch.Tensor):
            self.accessed_ids.add(id(attr_val))
        return super().getattr(attr, attr_val, parameter_proxy_cache)


class _Evidence:
    """What was seen of a module. Its tensors are kept, so that the ids of those taken stay theirs."""

    def __init__(self, graph: fx.Graph, tracer: _Tracer) -> None:
        self.nodes, self.accessed_ids, self.root = list(graph.nodes), tracer.accessed_ids, tracer.root


@contextmanager
def _compiling() -> Iterator[None]:
    """Libraries leave out their checks of sizes, which need numbers, while they are compiled."""
    original = torch.compiler.is_compiling
    torch.compiler.is_compiling = lambda: True
    try:
        yield
    finally:
        torch.compiler.is_compiling = original


def _pairs(module: nn.Module, evidence: _Evidence) -> Iterator[tuple[str, str]]:
    """Names of convolutions and of the batch norms that alone look at what they give, each called once."""
    parts = dict(module.named_modules(remove_duplicate=False))
    traced_parts = dict(evidence.root.named_modules(remove_duplicate=False))
    calls = Counter(id(parts[node.target]) for node in evidence.nodes if node.op == "call_module")
    for node in evidence.nodes:
        input_node = (
            node.args[0]
            if node.op == "call_module" and type(parts[node.target]) in NORM_MODULES and len(node.args) == 1
            else None
        )
        if not isinstance(input_node, fx.Node) or input_node.op != "call_module" or len(input_node.users) > 1:
            continue
        convolution, norm = parts[input_node.target], parts[node.target]
        called_once = calls[id(convolution)] == calls[id(norm)] == 1
        untouched = not any(
            id(tensor) in evidence.accessed_ids
            for name in (input_node.target, node.target)
            for tensor in _tensors(traced_parts[name])
        )
        if type(convolution) in CONVOLUTION_MODULES and called_once and untouched and _suits(convolution, norm):
            yield str(input_node.target), str(node.target)


def _tensors(part: nn.Module) -> list[torch.Tensor]:
    return [*part.parameters(), *part.buffers()]


def _suits(convolution: Any, norm: Any) -> bool:
    evaluated = (
        not norm.training
        and norm.track_running_stats
        and norm.running_mean is not None
        and norm.running_var is not None
    )
    return evaluated and fits(
        convolution.weight, _norm(norm), transposed=convolution.transposed, groups=convolution.groups
    )


def _norm(norm: Any) -> Norm:
    return Norm(mean=norm.running_mean, variance=norm.running_var, weight=norm.weight, bias=norm.bias, eps=norm.eps)


def _merge(module: nn.Module, convolution: str, norm: str) -> None:
    """The convolution is changed where it is, so that whoever holds it by another name has the same."""
    part: Any = module.get_submodule(convolution)
    weight, bias = folded(
        part.weight, part.bias, _norm(module.get_submodule(norm)), transposed=part.transposed, groups=part.groups
    )
    part.weight, part.bias = nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)
    module.set_submodule(norm, nn.Identity())


def _same(original: _Evidence, merged: _Evidence) -> bool:
    """Whether the same is done in the same order.

    A batch norm that is called by a name of its own would have raised.
    """
    return [(node.op, str(node.target)) for node in original.nodes] == [
        (node.op, str(node.target)) for node in merged.nodes
    ]
