"""What speaks against tiles in a network that runs outside of torch.

By its operators, or by how far they carried a change.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from pipeline.inspect.locality.probe import IMAGE_AXES, Axis, Prober, slice_axis
from pipeline.inspect.operations.rules import FEW_CHANGED, MOST_CHANGED, NonLocalOps
from pipeline.interfaces import Graph, Step

GLOBAL = {
    "GlobalAveragePool": "global pooling",
    "GlobalMaxPool": "global pooling",
    "GlobalLpPool": "global pooling",
    "InstanceNormalization": "instance or group norm",
    "GroupNormalization": "group norm",
}
"""Operators that look at the whole image, whatever they are given."""
_SPREADING = {
    "LayerNormalization": "layer norm over pixels",
    "RMSNormalization": "layer norm over pixels",
    "MeanVarianceNormalization": "a norm over pixels",
    "LpNormalization": "a norm over pixels",
    "Softmax": "a softmax over pixels",
    "LogSoftmax": "a softmax over pixels",
    "MatMul": "a product over pixels",
    "Gemm": "a product over pixels",
    "Einsum": "a product over pixels",
    "Attention": "attention",
    "MultiHeadAttention": "attention",
    "DFT": "a Fourier transform",
    "TopK": "a choice among pixels",
    "BatchNormalization": "normalisation by the image's own statistics",
}
"""Words for what was seen to carry a change everywhere."""
HARMLESS = frozenset(
    [
        "Conv",
        "ConvTranspose",
        "MaxPool",
        "AveragePool",
        "LpPool",
        "Pad",
        "Resize",
        "Upsample",
        "Relu",
        "LeakyRelu",
        "PRelu",
        "Elu",
        "Selu",
        "Celu",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Tanh",
        "Softplus",
        "Gelu",
        "Mish",
        "Clip",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Sqrt",
        "Exp",
        "Log",
        "Erf",
        "Neg",
        "Abs",
        "Where",
        "Equal",
        "Less",
        "Greater",
        "LessOrEqual",
        "GreaterOrEqual",
        "And",
        "Or",
        "Not",
        "Min",
        "Max",
        "Identity",
        "Dropout",
        "Cast",
        "Concat",
        "Split",
        "Slice",
        "Gather",
        "Reshape",
        "Transpose",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Expand",
        "Tile",
        "Shape",
        "Size",
        "Constant",
        "ConstantOfShape",
        "Range",
        "DepthToSpace",
        "SpaceToDepth",
    ]
)
"""Operators that reach as far as their kernel, or nowhere: none carries a change across an image by itself."""
_STRIP_LENGTH = 1024
"""Length of the strips that are changed at one end, px."""
_POSITIONS = {"Range": "coordinates", "AffineGrid": "coordinates", "CumSum": "a running sum"}
_LOOKUPS = {"Gather": 0, "GatherElements": 0, "GatherND": 0}
_BRANCHES = ("If", "Loop", "NonZero")


def find_nonlocal_steps(prober: Prober, graph: Graph, side: int, thorough: bool = True) -> NonLocalOps:
    """Run images and compare, with the parameters of `blame.suspects`.

    Of operations that no name gives away the first is told: all after it are given a change.
    """
    steps = graph.steps(prober.noise(side, side))
    reasons = {step.name: reason for step in steps if (reason := _nonlocal_reason(step))}
    if thorough:
        resizes = graph.steps(prober.strip("rows", prober.size(_STRIP_LENGTH, side), side), kinds=frozenset({"Resize"}))
        reasons |= {step.name: reason for step in resizes if (reason := _nonlocal_reason(step))}
        reasons |= {
            step.name: ("everywhere", _description(step))
            for step in _spread(prober, graph, side, steps)
            if step.name not in reasons
        }
    labels = {
        kind: tuple(f"{name} ({text})" for name, (reason, text) in reasons.items() if reason == kind)
        for kind in ("everywhere", "positions", "data")
    }
    return NonLocalOps(**labels)


def _nonlocal_reason(step: Step) -> tuple[str, str] | None:
    """Why an operation speaks against tiles (``everywhere``, ``positions`` or ``data``), and in which words."""
    if step.kind in _BRANCHES:
        return ("data", "a branch on values") if any(step.depends_on_image[:2]) else None
    if step.kind == "GridSample":
        return ("data" if step.depends_on_image[1] else "positions"), "grid_sample"
    if step.kind == "DeformConv" and step.depends_on_image[2]:
        return "data", "deformable convolution"
    if step.kind in _LOOKUPS and all(step.depends_on_image[:2]):
        return "data", "a lookup where pixels say"
    if step.kind in _POSITIONS:
        return "positions", _POSITIONS[step.kind]
    text = _everywhere(step) if any(step.depends_on_image[:1]) else None
    return ("everywhere", text) if text else None


def flops(graph: Graph, prober: Prober, side: int) -> int:
    """Floating-point operations of one square image.

    Those of convolutions and products of matrices, as torch counts them.
    """
    return sum(
        2 * _products(step)
        for step in graph.steps(prober.noise(side, side), kinds=frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"}))
    )


def _products(step: Step) -> int:
    left, right = step.input_shapes[:2]
    if step.kind == "Conv":
        return prod(step.output_shape) * prod(right[1:])
    if step.kind == "ConvTranspose":
        return prod(left) * prod(right[1:])
    across = left[-2] if step.kind == "Gemm" and step.attributes.get("transA") else left[-1]
    return prod(step.output_shape) * across


def _everywhere(step: Step) -> str | None:
    if step.kind in GLOBAL:
        return GLOBAL[step.kind]
    if step.kind.startswith("Reduce") and len(step.input_shapes[0]) == 4:
        return "global pooling" if not _axes(step) or {axis % 4 for axis in _axes(step)} & {2, 3} else None
    if step.kind == "Pad" and step.attributes.get("mode") == "wrap":
        return "circular padding"
    if (
        step.kind == "Slice"
        and len(step.input_shapes[0]) == 4
        and any(stride < 0 for stride in (step.values[4:5] or (None,))[0] or ())
    ):
        return "a mirror image"
    return _resized(step) if step.kind in ("Resize", "Upsample") else None


def _axes(step: Step) -> tuple[int, ...]:
    """Axes that are reduced, by attribute or, in later opsets, by an input; none means all."""
    axes = step.attributes.get("axes") or (step.values[1] if len(step.values) > 1 else None) or ()
    return tuple(int(axis) for axis in axes)


def _resized(step: Step) -> str | None:
    if step.attributes.get("coordinate_transformation_mode") == "align_corners":
        return "align_corners"
    (rows, cols), (height, width) = step.input_shapes[0][-2:], step.output_shape[-2:]
    uneven = abs(rows * width - cols * height) > 0.2 * rows * width
    return "a resize to a fixed size" if uneven and (height < rows or width < cols) else None


def _description(step: Step) -> str:
    return _SPREADING.get(step.kind, "global pooling" if step.kind.startswith("Reduce") else step.kind)


def _spread(prober: Prober, graph: Graph, side: int, steps: list[Step]) -> list[Step]:
    """Operations that are given few changed values and return hardly any other, whichever end of a strip is changed."""
    kinds = frozenset(step.kind for step in steps) - HARMLESS - GLOBAL.keys() - _POSITIONS.keys()
    return [step for axis in IMAGE_AXES for step in _both_ends(prober, graph, axis, side, kinds)] if kinds else []


def _both_ends(prober: Prober, graph: Graph, axis: Axis, side: int, kinds: frozenset[str]) -> list[Step]:
    length = prober.size(_STRIP_LENGTH, side)
    base, per_end = prober.strip(axis, length, side), []
    for start, stop in ((0, length // 4), (length - length // 4, length)):
        other = base.clone()
        slice_axis(other, axis, start, stop).mul_(-10.0)
        per_end.append(
            {
                step.name: step
                for step in graph.steps(base, other, kinds)
                if step.input_change <= FEW_CHANGED and step.output_change >= MOST_CHANGED
            }
        )
    return [replace(step, values=()) for name, step in per_end[0].items() if name in per_end[1]]
