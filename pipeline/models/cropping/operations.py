"""Operations of torch that may be cropped: what each does along both axes of an image.

A row of `MOVEMENTS` takes the arguments of an operation by name, and says how it moves. An operation without a row is
not cropped, nor is a network that has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from pipeline.models.cropping.axes import PIXELWISE, Enlarged, Padded, Sliding, Transposed
from pipeline.models.cropping.movement import Movement, Unsupported

Arguments = Mapping[str, Any]
"""Of a call, by the names of its schema."""


def _pixelwise(*inputs: str) -> Callable[[Arguments], Movement]:
    return lambda _: Movement(rows=PIXELWISE, cols=PIXELWISE, inputs=inputs)


def _along_channels(*inputs: str, joins: bool = False) -> Callable[[Arguments], Movement]:
    def movement(arguments: Arguments) -> Movement:
        dim = arguments.get("dim", 0)
        if dim not in (1, -3):
            raise Unsupported("it cuts or joins images along another axis than that of channels")
        return Movement(rows=PIXELWISE, cols=PIXELWISE, inputs=inputs, joins=joins)

    return movement


def _pair(values: Sequence[int], otherwise: Sequence[int] = ()) -> tuple[int, int]:
    chosen = values or otherwise
    return (chosen[0], chosen[0]) if len(chosen) == 1 else (chosen[0], chosen[1])


def _convolution(arguments: Arguments) -> Movement:
    weight: torch.Tensor = arguments["weight"]
    if weight.ndim != 4:
        raise Unsupported("it convolves other images than those of two axes")
    kernel, stride = (weight.shape[2], weight.shape[3]), _pair(arguments["stride"])
    padding, dilation, extra = (_pair(arguments[name]) for name in ("padding", "dilation", "output_padding"))
    rows, cols = (
        Transposed(kernel=kernel[k], stride=stride[k], padding=padding[k], dilation=dilation[k], extra=extra[k])
        if arguments["transposed"]
        else Sliding(kernel=kernel[k], stride=stride[k], padding=padding[k], dilation=dilation[k])
        for k in (0, 1)
    )
    # each pixel of the input of a transposed one is multiplied with all weights
    shared = stride[0] * stride[1] if arguments["transposed"] else 1
    return Movement(rows=rows, cols=cols, inputs=("input",), multiplications=weight.numel() // shared)


def _pooling(arguments: Arguments) -> Movement:
    if arguments.get("ceil_mode"):
        raise Unsupported("it pools windows that reach beyond the image (ceil_mode)")
    kernel = _pair(arguments["kernel_size"])
    stride = _pair(arguments.get("stride") or (), kernel)
    padding, dilation = _pair(arguments.get("padding") or (0,)), _pair(arguments.get("dilation") or (1,))
    rows, cols = (Sliding(kernel=kernel[k], stride=stride[k], padding=padding[k], dilation=dilation[k]) for k in (0, 1))
    return Movement(rows=rows, cols=cols, inputs=("self",))


def _upsampling(reach: int) -> Callable[[Arguments], Movement]:
    def movement(arguments: Arguments) -> Movement:
        name = "self" if "self" in arguments else "input"
        if arguments.get("align_corners"):
            raise Unsupported("it upsamples with aligned corners")
        image, size = arguments[name], arguments.get("output_size")
        factors = _factors(image, size, arguments.get("scale_factors"))
        rows, cols = (Enlarged(factor=factor, reach=reach) for factor in factors)
        return Movement(rows=rows, cols=cols, inputs=(name,), sized=None if size is None else "output_size")

    return movement


def _factors(image: torch.Tensor, size: Sequence[int] | None, factors: Sequence[float] | None) -> list[int]:
    """By which an image is enlarged, whole numbers; raises Unsupported where they are none."""
    exact = (
        [whole / part for whole, part in zip(size, image.shape[2:], strict=True)]
        if size is not None
        else list(factors or ())
    )
    if len(exact) != 2 or any(factor != int(factor) or factor < 1 for factor in exact):
        raise Unsupported("it upsamples by no whole factor")
    return [int(factor) for factor in exact]


def _shuffling(arguments: Arguments) -> Movement:
    rule = Enlarged(factor=arguments["upscale_factor"], reach=0)
    return Movement(rows=rule, cols=rule, inputs=("self",))


def _padding(name: str) -> Callable[[Arguments], Movement]:
    def movement(arguments: Arguments) -> Movement:
        sides = [*arguments[name], 0, 0, 0, 0][:4]
        if len(arguments[name]) > 4 or min(sides) < 0:
            raise Unsupported("it pads channels, or cuts pixels off")
        rows, cols = Padded(before=sides[2], after=sides[3]), Padded(before=sides[0], after=sides[1])
        return Movement(rows=rows, cols=cols, inputs=("self",))

    return movement


UNARY = (
    "relu leaky_relu elu celu selu silu gelu hardtanh hardswish hardsigmoid sigmoid tanh softplus mish clamp clamp_min "
    "clamp_max exp log sqrt abs neg pow square reciprocal detach clone alias dropout _to_copy to contiguous"
)
"""Operations on the argument ``self`` alone, also where they write into it."""
BINARY = "add sub mul div maximum minimum"
"""Those on ``self`` and ``other``, of which one may be a number."""

MOVEMENTS: dict[str, Callable[[Arguments], Movement]] = {
    **{f"aten::{name}{end}": _pixelwise("self") for name in UNARY.split() for end in ("", "_")},
    **{f"aten::{name}{end}": _pixelwise("self", "other") for name in BINARY.split() for end in ("", "_")},
    "aten::_prelu_kernel": _pixelwise("self"),
    "aten::native_batch_norm": _pixelwise("input"),
    "aten::_native_batch_norm_legit_no_training": _pixelwise("input"),
    "aten::_softmax": _along_channels("self"),
    "aten::_log_softmax": _along_channels("self"),
    "aten::cat": _along_channels("tensors", joins=True),
    "aten::slice": _along_channels("self"),
    "aten::narrow": _along_channels("self"),
    "aten::convolution": _convolution,
    "aten::_convolution": _convolution,
    "aten::max_pool2d_with_indices": _pooling,
    "aten::max_pool2d": _pooling,
    "aten::avg_pool2d": _pooling,
    "aten::upsample_nearest2d": _upsampling(0),
    "aten::_upsample_nearest_exact2d": _upsampling(0),
    "aten::upsample_bilinear2d": _upsampling(1),
    "aten::upsample_bicubic2d": _upsampling(2),
    "aten::pixel_shuffle": _shuffling,
    "aten::constant_pad_nd": _padding("pad"),
    "aten::reflection_pad2d": _padding("padding"),
    "aten::replication_pad2d": _padding("padding"),
}
"""By the name of the schema. Every operation of several results counts by its first."""


def movement_of(name: str, arguments: Arguments) -> Movement:
    """How an operation moves; raises Unsupported where that is not known."""
    if name not in MOVEMENTS:
        raise Unsupported(f"its operation {operation_name(name)} is not cropped")
    return MOVEMENTS[name](arguments)


def operation_name(name: str) -> str:
    """Name of a schema without that of its library."""
    return name.removeprefix("aten::")
