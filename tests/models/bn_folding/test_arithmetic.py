"""The arithmetic of folding."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from pipeline.models.bn_folding.arithmetic import Norm, fits, folded


def norm(channels: int) -> Norm:
    return Norm(
        mean=torch.randn(channels),
        variance=torch.rand(channels),
        weight=torch.randn(channels),
        bias=torch.randn(channels),
        eps=1e-3,
    )


def test_a_folded_convolution_gives_what_the_batch_norm_made_of_it() -> None:
    torch.manual_seed(0)
    x, after = torch.randn(2, 8, 9, 9).double(), norm(12)
    values = [value.double() for value in (after.mean, after.variance, after.weight, after.bias) if value is not None]
    for transposed, call in ((False, F.conv2d), (True, F.conv_transpose2d)):
        for groups in (1, 4):
            shape = (8, 12 // groups, 3, 3) if transposed else (12, 8 // groups, 3, 3)
            for bias in (None, torch.randn(12).double()):
                weight = torch.randn(shape).double()
                wanted = F.batch_norm(call(x, weight, bias, groups=groups), *values[:2], *values[2:], eps=1e-3)
                made = folded(weight, bias, after, transposed=transposed, groups=groups)
                assert torch.allclose(call(x, *made, groups=groups), wanted, atol=1e-12)


def test_what_has_another_number_of_channels_or_too_short_a_dtype_does_not_fit() -> None:
    assert fits(torch.rand(6, 8, 3, 3), norm(6))
    assert fits(torch.rand(8, 3, 2, 2), norm(6), transposed=True, groups=2)
    assert not fits(torch.rand(6, 8, 3, 3), norm(8))
    assert not fits(torch.rand(6, 8, 3, 3).half(), norm(6))
