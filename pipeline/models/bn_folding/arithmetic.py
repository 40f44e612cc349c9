"""The arithmetic of folding: a convolution that gives at once what a batch norm made of its output."""

from __future__ import annotations

from dataclasses import dataclass

import torch

FLOATS = (torch.float32, torch.float64)
"""Dtypes of weights that are folded; in shorter ones the rounding would be felt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """An evaluated batch norm: (x − mean) / √(variance + eps) · weight + bias, each (channels,)."""

    mean: torch.Tensor
    variance: torch.Tensor
    weight: torch.Tensor | None
    bias: torch.Tensor | None
    eps: float


def folded(
    weight: torch.Tensor, bias: torch.Tensor | None, norm: Norm, *, transposed: bool = False, groups: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a convolution with the batch norm that follows it folded in.

    They are computed in float64 and rounded once.

    Parameters
    ----------
    weight
        (outputs, inputs / groups, …), or (inputs, outputs / groups, …) of a transposed convolution.
    bias
        (outputs,), or None.
    norm
        Of as many channels as there are outputs.
    transposed, groups
        Of the convolution.

    Returns
    -------
    tuple
        Of the dtype and on the device of ``weight``.
    """
    scale = (norm.variance.cpu().double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.cpu().double()
    shift = -norm.mean.cpu().double() if bias is None else bias.cpu().double() - norm.mean.cpu().double()
    shift = shift * scale if norm.bias is None else shift * scale + norm.bias.cpu().double()
    scaled = weight.cpu().double().unflatten(0, (groups, -1))
    trailing = (1,) * (weight.ndim - 2)
    scaled = scaled * (scale.view(groups, 1, -1, *trailing) if transposed else scale.view(groups, -1, 1, *trailing))
    return scaled.flatten(0, 1).to(weight), shift.to(weight)


def fits(weight: torch.Tensor, norm: Norm, *, transposed: bool = False, groups: int = 1) -> bool:
    """Whether there is one number of the batch norm for each output, in a dtype that is long enough."""
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    values = [value for value in (norm.mean, norm.variance, norm.weight, norm.bias) if value is not None]
    return weight.dtype in FLOATS and all(
        value.dtype in FLOATS and tuple(value.shape) == (outputs,) for value in values
    )


def folding_message(count: int) -> str:
    """What was done."""
    return f"batch norm folded into {count} convolution{'s' if count > 1 else ''}"
