"""Batch norm of TorchScript networks, folded by torch's own passes.

The program is frozen: weights become constants, and calls are written out.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import torch
from torch.jit import optimized_execution  # type: ignore[attr-defined]  # public, and left out of its __all__

from pipeline.models.bn_folding.arithmetic import folding_message
from pipeline.models.weights.file_type import first_line

_Result = tuple[torch.nn.Module | None, str]
_last_result: dict[torch.nn.Module, _Result] = {}
"""What came of the module that was folded last, which several jobs of one process may have."""


def fold(module: torch.nn.Module) -> _Result:
    """A frozen copy, or None; and what was done, or why nothing was.

    It is worth its while without batch norm too: it holds about half of the memory.
    """
    result = _last_result.get(module)
    if result is None:
        _last_result.clear()
        result = _last_result[module] = _fold(module)
    return result


def _fold(module: torch.nn.Module) -> _Result:
    if any(getattr(part, "training", False) for part in module.modules()):
        return None, "parts of the TorchScript are in training mode"
    try:
        with optimized_execution(True), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch announces the end of TorchScript at each call
            fresh = fresh_copy(module)
            count = _norms(fresh)
            frozen: Any = torch.jit.freeze(fresh)
            count -= _norms(frozen)
            _name_convolutions(frozen)
    except Exception as error:  # its passes raise whatever the code makes them raise
        return None, f"torch cannot freeze this TorchScript ({first_line(error)})"
    return frozen, f"TorchScript frozen, {folding_message(count)}" if count > 0 else "TorchScript frozen"


def fresh_copy(module: torch.nn.Module) -> Any:
    """The same, never run: what ran unoptimised keeps its calls as they are, even in copies.

    Freezing leaves them in, and yet throws away what they call.
    """
    file = io.BytesIO()
    torch.jit.save(module, file)
    file.seek(0)
    return torch.jit.load(file).eval()


def _norms(module: Any) -> int:
    return len(module.inlined_graph.findAllNodes("aten::batch_norm"))


def _name_convolutions(module: Any) -> None:
    """Write convolutions as autocast knows them.

    A trace has them by an inner name, which would be computed in float32 whatever precision is asked for.
    """
    graph = module.graph
    for node in graph.findAllNodes("aten::_convolution"):
        image, weight, bias, stride, padding, dilation, transposed, output_padding, groups = list(node.inputs())[:9]
        sides, turned = weight.type().dim(), transposed.toIValue()
        if turned is None or sides not in (3, 4, 5):
            continue
        ordered = [
            image,
            weight,
            bias,
            stride,
            padding,
            *([output_padding, groups, dilation] if turned else [dilation, groups]),
        ]
        call = graph.create(f"aten::conv{'_transpose' if turned else ''}{sides - 2}d", ordered, 1)
        call.insertBefore(node)
        call.output().setType(node.output().type())
        node.output().replaceAllUsesWith(call.output())
        node.destroy()
