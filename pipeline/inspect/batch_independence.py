"""Whether images that go through a network together leave each other alone."""

from __future__ import annotations

import torch

from pipeline.geometry.span import round_up
from pipeline.interfaces import Network

_SIDE = 128
"""Side of the images that are tried, px."""
_ROUNDING = 1e-4
"""Of the largest logit: kernels are chosen by shape, so that the last digits differ."""


def images_are_independent(network: Network, bands: int, multiple: int, device: torch.device) -> bool:
    """Try two images alone and together.

    Batch norm that uses the batch's own statistics tells them apart, as does a network that takes one image only.

    Parameters
    ----------
    network
        In eval mode, on ``device``.
    bands
        Of its input.
    multiple
        Sizes it takes are multiples of this, px.
    device
        CPU or GPU.
    """
    accepts = network.accepts
    side = max(round_up(min(_SIDE, accepts.maximum or _SIDE), multiple), accepts.minimum)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn((2, bands, side, side), generator=draw).to(device)
    x[1] = 3 * x[1] + 1
    try:
        batch_logits = network(x)
    except Exception:  # whatever its layers raise, it does not take two
        return False
    single_logits = torch.cat([network(x[:1]), network(x[1:])])
    return batch_logits.shape == single_logits.shape and bool(
        (batch_logits - single_logits).abs().max() <= _ROUNDING * single_logits.abs().max()
    )
