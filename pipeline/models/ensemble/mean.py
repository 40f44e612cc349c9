"""The weighted mean of tensors, and how far they are from it, without holding more than one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def mean_and_variance(
    weighted: Iterable[tuple[float, torch.Tensor]], with_variance: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The mean Σ wₘ·pₘ and the variance Σ wₘ·(pₘ − mean)² of tensors of one shape, for weights of sum 1.

    Both are brought forward by one tensor after the other, so that nothing is lost where all are nearly alike, as a
    mean of squares would lose it.

    Parameters
    ----------
    weighted
        Weights above 0, of any sum, and tensors, float32; a tensor is not changed, and not needed afterwards.
    with_variance
        Whether the variance is asked for.

    Returns
    -------
    tuple
        The mean, and the variance or None, of the shape of the tensors.

    References
    ----------
    West 1979, Updating Mean and Variance Estimates: An Improved Method.
    """
    import torch

    total, mean, squares = 0.0, None, None
    for weight, tensor in weighted:
        total += weight
        if mean is None:
            mean = tensor.clone()  # a network may go on with its own
            squares = torch.zeros_like(mean) if with_variance else None
            continue
        difference = tensor - mean
        mean.add_(difference, alpha=weight / total)
        if squares is not None:
            squares.addcmul_(difference, tensor - mean, value=weight)
    assert mean is not None, "there is at least one tensor"
    return mean, None if squares is None else squares.div_(total)
