"""Exported programs: graphs of torch's own operators, in which what follows what is written down."""

from __future__ import annotations

import copy
import operator
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from pipeline.models.bn_folding.arithmetic import Norm, fits, folded, words
from pipeline.models.weights.file_type import first_line

CONVOLUTIONS = {"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution"}
NORMS = {"batch_norm", "native_batch_norm", "_native_batch_norm_legit_no_training", "_batch_norm_no_update", "cudnn_batch_norm"}
"""The first as programs are exported; the others, which return their statistics too, as older releases and decompositions leave it."""


@dataclass(frozen=True, slots=True)
class _Call:
    """An operator of torch's, with its arguments by the names of its schema."""

    node: fx.Node
    name: str
    given: dict[str, Any]

    @staticmethod
    def of(node: fx.Node) -> _Call | None:
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
            return None
        schema = node.target._schema
        said = {argument.name: argument.default_value for argument in schema.arguments if argument.has_default_value()}
        said |= dict(zip((argument.name for argument in schema.arguments), node.args, strict=False)) | dict(node.kwargs)
        return _Call(node, schema.name.removeprefix("aten::"), said)

    @property
    def transposed(self) -> bool:
        return bool(self.given.get("transposed", "transpose" in self.name))


def is_program(module: torch.nn.Module) -> bool:
    """Whether a module is a graph of torch's own operators."""
    return isinstance(module, fx.GraphModule) and any(_Call.of(node) for node in module.graph.nodes)


def fold(module: torch.nn.Module) -> tuple[torch.nn.Module | None, str]:
    """A copy with batch norm folded in, or None; and what was done, or why nothing was."""
    assert isinstance(module, fx.GraphModule)
    calls = [call for node in module.graph.nodes if (call := _Call.of(node))]
    if not any(call.name in NORMS for call in calls):
        return None, "there is none"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch warns of its own internals
            made, count = _merged(module)
    except Exception as error:  # graphs of other releases may be of another make
        return None, f"its graph cannot be changed ({first_line(error)})"
    return (made, words(count)) if count else (None, "none follows a convolution that nothing else looks at")


def _merged(module: fx.GraphModule) -> tuple[fx.GraphModule, int]:
    """A copy with what suits merged, and how many that were."""
    made: Any = copy.deepcopy(module, {id(parameter): parameter for parameter in module.parameters()})
    pairs = list(_pairs(made))
    for number, (convolution, norm) in enumerate(pairs):
        _merge(made, f"_folded{number}", convolution, norm)
    made.graph.lint()
    made.recompile()
    return made, len(pairs)


def _pairs(module: fx.GraphModule) -> Iterator[tuple[_Call, _Call]]:
    """Convolutions and the batch norms that alone look at what they give."""
    written = {id(_tensor(module, node)) for node in _written(module)}
    for node in module.graph.nodes:
        norm = _Call.of(node)
        convolution = _Call.of(norm.given["input"]) if norm and norm.name in NORMS and _evaluated(norm) else None
        if norm and convolution and convolution.name in CONVOLUTIONS and len(convolution.node.users) == 1 and _suits(module, convolution, norm, written):
            yield convolution, norm


def _written(module: fx.GraphModule) -> Iterator[fx.Node]:
    """Attributes that an operator writes to."""
    for node in module.graph.nodes:
        users = [user.target for user in node.users if isinstance(user.target, torch._ops.OpOverload)] if node.op == "get_attr" else []
        if any(target._schema.is_mutable for target in users):
            yield node


def _evaluated(norm: _Call) -> bool:
    """With its running statistics, and with nothing but its output looked at."""
    firsts = all(user.target is operator.getitem and user.args[1] == 0 for user in norm.node.users) if norm.name != "batch_norm" else True
    return norm.given.get("training", False) is False and norm.given.get("running_mean") is not None and norm.given.get("running_var") is not None and firsts


def _suits(module: fx.GraphModule, convolution: _Call, norm: _Call, written: set[int]) -> bool:
    named = [convolution.given["weight"], convolution.given["bias"], *(norm.given[name] for name in ("running_mean", "running_var", "weight", "bias"))]
    if not all(node is None or (isinstance(node, fx.Node) and node.op == "get_attr" and id(_tensor(module, node)) not in written) for node in named):
        return False
    weight = _tensor(module, named[0])
    return weight is not None and fits(weight, _norm(module, norm), transposed=convolution.transposed, groups=convolution.given["groups"])


def _tensor(module: fx.GraphModule, node: Any) -> torch.Tensor | None:
    return None if node is None else operator.attrgetter(node.target)(module)


def _norm(module: fx.GraphModule, norm: _Call) -> Norm:
    mean, variance, weight, bias = (_tensor(module, norm.given[name]) for name in ("running_mean", "running_var", "weight", "bias"))
    assert mean is not None
    assert variance is not None
    return Norm(mean=mean, variance=variance, weight=weight, bias=bias, eps=norm.given["epsilon" if norm.name == "cudnn_batch_norm" else "eps"])


def _merge(module: fx.GraphModule, name: str, convolution: _Call, norm: _Call) -> None:
    """New weights, and the convolution in the place of the batch norm."""
    before, graph = convolution.given, module.graph
    weight = _tensor(module, before["weight"])
    assert weight is not None
    made = folded(weight, _tensor(module, before["bias"]), _norm(module, norm), transposed=convolution.transposed, groups=before["groups"])
    with graph.inserting_before(convolution.node):
        for part, value in zip(("weight", "bias"), made, strict=True):
            module.register_parameter(f"{name}_{part}", torch.nn.Parameter(value, requires_grad=False))
            _give(convolution.node, part, graph.get_attr(f"{name}_{part}"))
    outputs = [norm.node] if norm.name == "batch_norm" else list(norm.node.users)
    for output in outputs:
        output.replace_all_uses_with(convolution.node)
    for node in dict.fromkeys([*outputs, norm.node, *norm.node.all_input_nodes, *_attributes(before)]):
        if not node.users:
            graph.erase_node(node)


def _give(node: fx.Node, argument: str, value: fx.Node) -> None:
    """Give an operator another argument, wherever it stands."""
    assert isinstance(node.target, torch._ops.OpOverload)
    place = [known.name for known in node.target._schema.arguments].index(argument)
    if place < len(node.args):
        node.update_arg(place, value)
    else:
        node.update_kwarg(argument, value)


def _attributes(given: dict[str, Any]) -> list[fx.Node]:
    return [given[name] for name in ("weight", "bias") if given[name] is not None]
