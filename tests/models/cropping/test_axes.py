"""Rules of one axis against torch itself: sizes, what decides an output, and where a cropped input's output lies."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from pipeline.geometry.span import Span, round_down
from pipeline.models.cropping.axes import AxisRule, Enlarged, Padded, Pixelwise, Sliding, Transposed

LENGTH = 48
Operation = Callable[[torch.Tensor], torch.Tensor]


def sliding(kernel: int, stride: int, padding: int, dilation: int) -> tuple[AxisRule, Operation]:
    torch.manual_seed(kernel + stride)
    weight = torch.randn(1, 1, kernel, kernel)
    return (
        Sliding(kernel=kernel, stride=stride, padding=padding, dilation=dilation),
        lambda x: F.conv2d(x, weight, stride=stride, padding=padding, dilation=dilation),
    )


def transposed(kernel: int, stride: int, padding: int, extra: int, dilation: int = 1) -> tuple[AxisRule, Operation]:
    torch.manual_seed(kernel + stride)
    weight = torch.randn(1, 1, kernel, kernel)
    return (
        Transposed(kernel=kernel, stride=stride, padding=padding, dilation=dilation, extra=extra),
        lambda x: F.conv_transpose2d(x, weight, None, stride, padding, extra, 1, dilation),
    )


def enlarged(factor: int, mode: str, reach: int) -> tuple[AxisRule, Operation]:
    corners = None if mode == "nearest" else False
    return (
        Enlarged(factor=factor, reach=reach),
        lambda x: F.interpolate(x, scale_factor=float(factor), mode=mode, align_corners=corners),
    )


CASES: dict[str, tuple[AxisRule, Operation]] = {
    "pixelwise": (Pixelwise(), torch.sigmoid),
    "convolution": sliding(3, 1, 1, 1),
    "unpadded": sliding(5, 1, 0, 1),
    "wide padding": sliding(3, 1, 2, 1),
    "dilated": sliding(3, 1, 4, 4),
    "strided": sliding(3, 2, 1, 1),
    "patches": sliding(4, 4, 0, 1),
    "strided and dilated": sliding(3, 3, 2, 2),
    "transposed": transposed(2, 2, 0, 0),
    "transposed, overlapping": transposed(4, 2, 1, 0),
    "transposed, with more": transposed(3, 2, 1, 1),
    "transposed, wide": transposed(16, 8, 4, 0),
    "transposed, dilated": transposed(3, 2, 2, 1, 2),
    "nearest": enlarged(2, "nearest", 0),
    "bilinear": enlarged(2, "bilinear", 1),
    "bilinear, 3": enlarged(3, "bilinear", 1),
    "bicubic": enlarged(2, "bicubic", 2),
    "reflected": (Padded(before=3, after=3), lambda x: F.pad(x, [3, 3, 3, 3], mode="reflect")),
    "padded at the end": (Padded(before=0, after=5), lambda x: F.pad(x, [0, 5, 0, 5])),
}


@pytest.mark.parametrize("name", CASES)
def test_sizes_are_those_of_torch(name: str) -> None:
    rule, operation = CASES[name]
    for length in (LENGTH, LENGTH + rule.unit):
        assert rule.size(length) == operation(torch.zeros(1, 1, length, length)).shape[2]


@pytest.mark.parametrize("name", CASES)
def test_what_is_needed_gives_the_same_output_where_it_lies(name: str) -> None:
    rule, operation = CASES[name]
    torch.manual_seed(1)
    x = torch.randn(1, 1, LENGTH, LENGTH)
    x = x[..., :1, :].expand(-1, -1, LENGTH, -1)  # rows alike, so that columns tell all
    whole = operation(x)[0, 0, operation(x).shape[2] // 2]
    spans = [Span(0, 1), Span(3, 9), Span(len(whole) // 2, len(whole) // 2 + 3), Span(len(whole) - 2, len(whole))]
    for span in spans:
        need = rule.need(span).clip(LENGTH)
        need = Span(round_down(need.start, rule.unit), need.stop)
        part = operation(x[..., need.start : need.stop])
        result = rule.result(need)
        assert part.shape[3] == result.size
        row = part[0, 0, part.shape[2] // 2, span.index_in(result)]
        torch.testing.assert_close(row, whole[span.start : span.stop], msg=f"{name} {span} of {need}")


@pytest.mark.parametrize(
    "name", ["convolution", "dilated", "strided", "transposed, overlapping", "bilinear", "bicubic"]
)
def test_less_than_what_is_needed_gives_another_output(name: str) -> None:
    rule, operation = CASES[name]
    torch.manual_seed(2)
    x = torch.randn(1, 1, LENGTH, LENGTH)
    whole, span = operation(x), Span(20, 26)
    need = rule.need(span)
    changed = x.clone()
    changed[..., need.start : need.start + (1 if name != "bilinear" else 2)] += 1.0
    assert not torch.equal(operation(changed)[..., span.start : span.stop], whole[..., span.start : span.stop])
