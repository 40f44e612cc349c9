"""What made a value of an ONNX graph, in the words of torch; nothing is run."""

from __future__ import annotations

from typing import Any

from pipeline.interfaces import Origin
from pipeline.models.onnx_runtime.file import Node, OnnxFile

TORCH_OPERATIONS = {
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hardsigmoid",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Tanh": "tanh",
    "ArgMax": "argmax",
    "ArgMin": "argmin",
    "Greater": "gt",
    "GreaterOrEqual": "ge",
    "Less": "lt",
    "LessOrEqual": "le",
    "TopK": "topk",
    "Transpose": "permute",
    "Reshape": "reshape",
    "Slice": "slice",
    "Pad": "pad",
    "Cast": "to",
    "CastLike": "to",
    "Squeeze": "squeeze",
    "Unsqueeze": "unsqueeze",
    "Identity": "identity",
    "Dropout": "identity",
    "Expand": "expand",
    "Concat": "cat",
    "ReduceMean": "mean",
    "AveragePool": "avg_pool2d",
    "GlobalAveragePool": "mean",
    "Split": "split",
    "Clip": "clamp",
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Neg": "neg",
    "Exp": "exp",
    "Log": "log",
    "Round": "round",
    "Gather": "index_select",
}
"""Operators that are walked through; where they write a value of the image's own, torch's word is close enough."""
RESIZES = ("Resize", "Upsample")


def origin_of(file: OnnxFile, output: str) -> Origin:
    """What made an output."""
    origins: dict[str, Origin] = {}
    constants = {name: tensor.values for name, tensor in file.weights.items()}
    for node in file.nodes:
        if node.kind == "Constant":
            constants |= {name: _constant(node) for name in node.outputs}
            continue
        inputs = tuple(
            origins[name] if name in origins else _constant_origin(constants.get(name)) for name in node.inputs
        )
        for place, name in enumerate(node.outputs):
            origins[name] = Origin(operation=_torch_operation(node), inputs=_ordered(node, inputs), place=place)
    return origins.get(output, Origin(operation=""))


def _torch_operation(node: Node) -> str:
    if node.kind in RESIZES:
        return "upsample_bicubic2d" if node.attributes.get("mode") == "cubic" else "upsample_bilinear2d"
    return TORCH_OPERATIONS.get(node.kind, "")


def _ordered(node: Node, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """With the axes that torch is given as arguments."""
    if node.kind == "Transpose":
        return (*inputs[:1], *(node.attributes.get("perm") or ()))
    if node.kind in ("Softmax", "LogSoftmax"):
        axis = node.attributes.get("axis", -1)
        return (*inputs[:1], axis) if isinstance(axis, int) and axis >= 0 else inputs[:1]
    return inputs


def _constant(node: Node) -> tuple[float, ...] | None:
    value = node.attributes.get("value")
    return value if isinstance(value, tuple) else None


def _constant_origin(values: tuple[float, ...] | None) -> Any:
    """A number where a constant is one, or the same everywhere; else an origin without an operation."""
    return float(values[0]) if values and len(set(values)) == 1 else Origin(operation="")
