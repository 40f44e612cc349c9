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

from pipeline.models.bn_folding.arithmetic import Norm, fits, folded, folding_message
from pipeline.models.weights.file_type import first_line

CONVOLUTION_OPERATORS = {
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolution",
}
NORM_OPERATORS = {
    "batch_norm",
    "native_batch_norm",
    "_native_batch_norm_legit_no_training",
    "_batch_norm_no_update",
    "cudnn_batch_norm",
}
"""The first as programs are exported; the others, which return their statistics too, as older releases and
decompositions leave it."""


@dataclass(frozen=True, slots=True)
class _Call:
    """An operator of torch's, with its arguments by the names of its schema."""

    node: fx.Node
    name: str
    arguments: dict[str, Any]

    @staticmethod
    def of(node: fx.Node) -> _Call | None:
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
            return None
        schema = node.target._schema
        arguments = {
            argument.name: argument.default_value for argument in schema.arguments if argument.has_default_value()
        }
        arguments |= dict(zip((argument.name for argument in schema.arguments), node.args, strict=False)) | dict(
            node.kwargs
        )
        return _Call(node, schema.name.removeprefix("aten::"), arguments)

    @property
    def transposed(self) -> bool:
        return bool(self.arguments.get("transposed", "transpose" in self.name))


def is_program(module: torch.nn.Module) -> bool:
    """Whether a module is a graph of torch's own operators."""
    return isinstance(module, fx.GraphModule) and any(_Call.of(node) for node in module.graph.nodes)


def fold(module: torch.nn.Module) -> tuple[torch.nn.Module | None, str]:
    """A copy with batch norm folded in, or None; and what was done, or why nothing was."""
    assert isinstance(module, fx.GraphModule)
    calls = [call for node in module.graph.nodes if (call := _Call.of(node))]
    if not any(call.name in NORM_OPERATORS for call in calls):
        return None, "there is none"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch warns of its own internals
            merged, count = _merged(module)
    except Exception as error:  # graphs of other releases may be of another make
        return None, f"its graph cannot be changed ({first_line(error)})"
    return (
        (merged, folding_message(count)) if count else (None, "none follows a convolution that nothing else looks at")
    )


def _merged(module: fx.GraphModule) -> tuple[fx.GraphModule, int]:
    """A copy with what suits merged, and how many that were."""
    merged: Any = copy.deepcopy(module, {id(parameter): parameter for parameter in module.parameters()})
    pairs = list(_pairs(merged))
    for number, (convolution, norm) in enumerate(pairs):
        _merge(merged, f"_folded{number}", convolution, norm)
    merged.graph.lint()
    merged.recompile()
    return merged, len(pairs)


def _pairs(module: fx.GraphModule) -> Iterator[tuple[_Call, _Call]]:
    """Convolutions and the batch norms that alone look at what they give."""
    written = {id(_tensor(module, node)) for node in _written(module)}
    for node in module.graph.nodes:
        norm = _Call.of(node)
        convolution = (
            _Call.of(norm.arguments["input"]) if norm and norm.name in NORM_OPERATORS and _evaluated(norm) else None
        )
        if (
            norm
            and convolution
            and convolution.name in CONVOLUTION_OPERATORS
            and len(convolution.node.users) == 1
            and _suits(module, convolution, norm, written)
        ):
            yield convolution, norm


def _written(module: fx.GraphModule) -> Iterator[fx.Node]:
    """Attributes that an operator writes to."""
    for node in module.graph.nodes:
        users = (
            [user.target for user in node.users if isinstance(user.target, torch._ops.OpOverload)]
            if node.op == "get_attr"
            else []
        )
        if any(target._schema.is_mutable for target in users):
            yield node


def _evaluated(norm: _Call) -> bool:
    """With its running statistics, and with nothing but its output looked at."""
    firsts = (
        all(user.target is operator.getitem and user.args[1] == 0 for user in norm.node.users)
        if norm.name != "batch_norm"
        else True
    )
    return (
        norm.arguments.get("training", False) is False
        and norm.arguments.get("running_mean") is not None
        and norm.arguments.get("running_var") is not None
        and firsts
    )


def _suits(module: fx.GraphModule, convolution: _Call, norm: _Call, written: set[int]) -> bool:
    operands = [
        convolution.arguments["weight"],
        convolution.arguments["bias"],
        *(norm.arguments[name] for name in ("running_mean", "running_var", "weight", "bias")),
    ]
    if not all(
        node is None
        or (isinstance(node, fx.Node) and node.op == "get_attr" and id(_tensor(module, node)) not in written)
        for node in operands
    ):
        return False
    weight = _tensor(module, operands[0])
    return weight is not None and fits(
        weight, _norm(module, norm), transposed=convolution.transposed, groups=convolution.arguments["groups"]
    )


def _tensor(module: fx.GraphModule, node: Any) -> torch.Tensor | None:
    return None if node is None else operator.attrgetter(node.target)(module)


def _norm(module: fx.GraphModule, norm: _Call) -> Norm:
    mean, variance, weight, bias = (
        _tensor(module, norm.arguments[name]) for name in ("running_mean", "running_var", "weight", "bias")
    )
    assert mean is not None
    assert variance is not None
    return Norm(
        mean=mean,
        variance=variance,
        weight=weight,
        bias=bias,
        eps=norm.arguments["epsilon" if norm.name == "cudnn_batch_norm" else "eps"],
    )


def _merge(module: fx.GraphModule, name: str, convolution: _Call, norm: _Call) -> None:
    """New weights, and the convolution in the place of the batch norm."""
    arguments, graph = convolution.arguments, module.graph
    weight = _tensor(module, arguments["weight"])
    assert weight is not None
    merged = folded(
        weight,
        _tensor(module, arguments["bias"]),
        _norm(module, norm),
        transposed=convolution.transposed,
        groups=arguments["groups"],
    )
    with graph.inserting_before(convolution.node):
        for part, value in zip(("weight", "bias"), merged, strict=True):
            module.register_parameter(f"{name}_{part}", torch.nn.Parameter(value, requires_grad=False))
            _set_argument(convolution.node, part, graph.get_attr(f"{name}_{part}"))
    outputs = [norm.node] if norm.name == "batch_norm" else list(norm.node.users)
    for output in outputs:
        output.replace_all_uses_with(convolution.node)
    for node in dict.fromkeys([*outputs, norm.node, *norm.node.all_input_nodes, *_attributes(arguments)]):
        if not node.users:
            graph.erase_node(node)


def _set_argument(node: fx.Node, argument: str, value: fx.Node) -> None:
    """Give an operator another argument, wherever it stands."""
    assert isinstance(node.target, torch._ops.OpOverload)
    position = [entry.name for entry in node.target._schema.arguments].index(argument)
    if position < len(node.args):
        node.update_arg(position, value)
    else:
        node.update_kwarg(argument, value)


def _attributes(arguments: dict[str, Any]) -> list[fx.Node]:
    return [arguments[name] for name in ("weight", "bias") if arguments[name] is not None]
