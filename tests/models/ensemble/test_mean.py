from __future__ import annotations

import torch

from pipeline.models.ensemble.mean import mean_and_variance
from pipeline.models.ensemble.member import summed


def test_mean_and_variance_are_those_of_the_weights() -> None:
    torch.manual_seed(0)
    tensors, weights = torch.rand((5, 3, 4), dtype=torch.float64).float(), (1.0, 2.0, 0.5, 4.0, 1.0)
    mean, variance = mean_and_variance(zip(weights, tensors, strict=True), with_variance=True)
    shares = (torch.tensor(weights) / sum(weights))[:, None, None]
    torch.testing.assert_close(mean, (shares * tensors).sum(0))
    torch.testing.assert_close(variance, (shares * (tensors - mean) ** 2).sum(0))
    assert mean_and_variance([(3.0, tensors[0])], with_variance=False)[1] is None


def test_a_small_variance_is_not_lost_beside_a_large_mean() -> None:
    tensors = [torch.full((1,), 1 - step * 1e-5) for step in range(3)]
    _, variance = mean_and_variance(((1.0, tensor) for tensor in tensors), with_variance=True)
    assert variance is not None
    exact = torch.stack(tensors).double().var(correction=0)
    assert abs(variance.item() / exact.item() - 1) < 0.01  # a mean of squares has 1e-7 of 1, ten times the variance


def test_what_a_network_returned_is_left_as_it_is() -> None:
    first, second = torch.zeros(2), torch.ones(2)
    mean, _ = mean_and_variance([(1.0, first), (1.0, second)], with_variance=True)
    assert mean.tolist() == [0.5, 0.5]
    assert first.tolist() == [0, 0]
    assert second.tolist() == [1, 1]


def test_channels_of_a_group_are_added_up() -> None:
    p = torch.tensor([0.1, 0.2, 0.3, 0.4])[None, :, None, None]
    torch.testing.assert_close(summed(p, ((1, 2), (0, 3))).flatten(), torch.tensor([0.5, 0.5]))
