"""Operations of OpenVINO that may be cropped: what each does along both axes of an image.

An operation without a row is not cropped, nor is a graph that has one. The set of operations:
https://docs.openvino.ai/2025/documentation/openvino-ir-format/operation-sets.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.models.cropping.axes import PIXELWISE, AxisRule, Enlarged, Padded, Sliding, Transposed
from pipeline.models.cropping.movement import Movement, Unsupported

Inputs = tuple[int, ...]
"""Which inputs of an operation are images."""
REACH = {"nearest": 0, "linear": 1, "linear_onnx": 1, "cubic": 2}
"""Pixels on each side between which each mode of `Interpolate` interpolates."""
CENTRED_PLACES = {"half_pixel", "pytorch_half_pixel"}
"""Places of pixels that are their centres: every part of an image is enlarged as the whole is."""
SIZE_INPUT = 1
"""Of `Interpolate`: how large its output is."""


def _pixelwise(_: Any, images: Inputs) -> Movement:
    return Movement(rows=PIXELWISE, cols=PIXELWISE, inputs=tuple(map(str, images)))


def _arithmetic(node: Any, images: Inputs) -> Movement:
    """Numbers beside images are one for each channel, or one for all."""
    others = (list(node.input(place).get_shape()) for place in range(node.get_input_size()) if place not in images)
    if any(length > 1 for shape in others for length in shape[-2:]):
        raise Unsupported(f"{node.get_type_name()} takes a table of the image's size")
    return _pixelwise(node, images)


def _along_channels(node: Any, images: Inputs) -> Movement:
    if node.get_attributes()["axis"] not in (1, -3):
        raise Unsupported("it joins images, or compares their pixels, along another axis than that of channels")
    return _pixelwise(node, images)  # joins nothing for free: a cut is a copy of its own here


def _convolution(node: Any, _: Inputs) -> Movement:
    weights, numbers = node.input(1).get_shape(), _numbers(node)
    rows, cols = (
        Sliding(kernel=kernel, stride=stride, padding=padding, dilation=dilation)
        for kernel, stride, padding, dilation in zip(
            weights[-2:], numbers["strides"], _padding(node), numbers["dilations"], strict=True
        )
    )
    return Movement(rows=rows, cols=cols, inputs=("0",), multiplications=_count(weights))


def _transposed(node: Any, _: Inputs) -> Movement:
    if node.get_input_size() > 2:
        raise Unsupported("the size of what its transposed convolution returns is fixed")
    weights, numbers = node.input(1).get_shape(), _numbers(node)
    rows, cols = (
        Transposed(kernel=kernel, stride=stride, padding=padding, dilation=dilation, extra=extra)
        for kernel, stride, padding, dilation, extra in zip(
            weights[-2:],
            numbers["strides"],
            _padding(node),
            numbers["dilations"],
            numbers["output_padding"],
            strict=True,
        )
    )
    shared = numbers["strides"][0] * numbers["strides"][1]
    return Movement(rows=rows, cols=cols, inputs=("0",), multiplications=_count(weights) // shared)


def _pooling(node: Any, _: Inputs) -> Movement:
    attributes, numbers = node.get_attributes(), _numbers(node)
    if attributes["rounding_type"] != "floor":
        raise Unsupported("it pools windows that reach beyond the image")
    rows, cols = (
        Sliding(kernel=kernel, stride=stride, padding=padding, dilation=dilation)
        for kernel, stride, padding, dilation in zip(
            numbers["kernel"], numbers["strides"], _padding(node), numbers.get("dilations", [1, 1]), strict=True
        )
    )
    return Movement(rows=rows, cols=cols, inputs=("0",))


def _enlarging(node: Any, _: Inputs) -> Movement:
    attributes = node.get_attributes()
    mode, place = attributes["mode"], attributes["coordinate_transformation_mode"]
    nearest = mode == "nearest" and place == "asymmetric" and attributes["nearest_mode"] == "floor"
    if not nearest and (mode not in REACH or mode == "nearest" or place not in CENTRED_PLACES):
        raise Unsupported("it enlarges images with aligned corners, or in another way of its own")
    if attributes["antialias"] or any(_values(attributes[name]) != [0] * 4 for name in ("pads_begin", "pads_end")):
        raise Unsupported("it enlarges images in a way of its own")
    rows, cols = (Enlarged(factor=factor, reach=REACH[mode]) for factor in _factors(node))
    sized = str(SIZE_INPUT) if attributes["shape_calculation_mode"] == "sizes" else None
    return Movement(rows=rows, cols=cols, inputs=("0",), sized=sized)


def _factors(node: Any) -> list[int]:
    """By which an image is enlarged, whole numbers."""
    before, after = list(node.input(0).get_shape()), list(node.output(0).get_shape())
    if before[:2] != after[:2] or any(big % small for big, small in zip(after[2:], before[2:], strict=True)):
        raise Unsupported("it enlarges images by no whole factor")
    return [big // small for big, small in zip(after[2:], before[2:], strict=True)]


def _padding_around(node: Any, _: Inputs) -> Movement:
    before, after = (_constant(node, place) for place in (1, 2))
    if any((*before[:2], *after[:2])) or min(*before, *after) < 0:
        raise Unsupported("it pads along another axis than those of the image, or cuts")
    rows, cols = (Padded(before=before[axis], after=after[axis]) for axis in (2, 3))
    return Movement(rows=rows, cols=cols, inputs=("0",))


def _depth_to_space(node: Any, _: Inputs) -> Movement:
    rule: AxisRule = Enlarged(factor=int(node.get_attributes()["block_size"]), reach=0)
    return Movement(rows=rule, cols=rule, inputs=("0",))


def _numbers(node: Any) -> dict[str, list[int]]:
    """Attributes of an operation that are two numbers, of both axes of an image."""
    attributes = node.get_attributes()
    return {
        name: _values(attributes[name])
        for name in ("kernel", "strides", "dilations", "output_padding")
        if name in attributes
    }


def _padding(node: Any) -> list[int]:
    attributes = node.get_attributes()
    before, after = (_values(attributes[name]) for name in ("pads_begin", "pads_end"))
    if attributes["auto_pad"] != "explicit" or before != after:
        raise Unsupported("it pads both sides of an image differently")
    return before


def _values(attribute: Any) -> list[int]:
    return [int(value) for value in attribute]


def _constant(node: Any, place: int) -> list[int]:
    source = node.input_value(place).get_node()
    if source.get_type_name() != "Constant":
        raise Unsupported("its padding is computed")
    return [int(value) for value in source.data.ravel()]


def _count(shape: Any) -> int:
    total = 1
    for length in shape:
        total *= int(length)
    return total


POINTWISE_OPERATIONS = (
    "Relu PRelu Elu Selu Swish HSwish HSigmoid Gelu Clamp Sigmoid Tanh SoftPlus Mish Exp Log Sqrt Abs Negative Convert "
    "BatchNormInference"
)
"""Operations on each pixel alone."""
ARITHMETIC_OPERATIONS = "Add Subtract Multiply Divide Maximum Minimum Power"
"""Those of two images, or of an image and numbers."""

GRAPH_MOVEMENTS: dict[str, Callable[[Any, Inputs], Movement]] = {
    **dict.fromkeys(POINTWISE_OPERATIONS.split(), _pixelwise),
    **dict.fromkeys(ARITHMETIC_OPERATIONS.split(), _arithmetic),
    "Softmax": _along_channels,
    "LogSoftmax": _along_channels,
    "Concat": _along_channels,
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "ConvolutionBackpropData": _transposed,
    "GroupConvolutionBackpropData": _transposed,
    "MaxPool": _pooling,
    "AvgPool": _pooling,
    "Interpolate": _enlarging,
    "Pad": _padding_around,
    "DepthToSpace": _depth_to_space,
}
"""By OpenVINO's name of the operation."""


def graph_movement(node: Any, images: Inputs) -> Movement:
    """How an operation moves over its images; raises Unsupported where that is not known."""
    name = node.get_type_name()
    if name not in GRAPH_MOVEMENTS:
        raise Unsupported(f"its operation {name} is not cropped")
    return GRAPH_MOVEMENTS[name](node, images)
