"""Floating-point operations of a network."""

from __future__ import annotations

import torch

from pipeline.geometry.span import round_up
from pipeline.inspect.locality.probe import Prober
from pipeline.inspect.operations import onnx
from pipeline.interfaces import Network
from pipeline.runtime.record_files import recorded

ARITHMETIC_VERSION = 1
"""Raised when they are counted in another way."""
COUNTED_SIDE = 256
"""Side of the image on which they are counted, px."""


def flops_per_pixel(
    network: Network, bands: int, multiple: int, device: torch.device, largest: int = COUNTED_SIDE
) -> float:
    """Floating-point operations per pixel of an input of at most ``largest`` px, as torch counts them.

    Products of matrices and convolutions. The count is kept under the network's own hash.
    """
    accepts, length = network.accepts, min(COUNTED_SIDE, largest)
    side = max(round_up(min(length, accepts.maximum or length), multiple), accepts.minimum)
    key = [ARITHMETIC_VERSION, bands, side, network.identity()]
    return recorded("arithmetic", key, lambda: _counted(network, bands, side, device) / side**2, float, float)


def _counted(network: Network, bands: int, side: int, device: torch.device) -> float:
    if network.graph is not None:
        return onnx.flops(network.graph, Prober(network=network, bands=bands, device=device), side)
    # here, since it takes as long to import as torch does
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counted:
        network(torch.zeros((1, bands, side, side), device=device))
    return float(counted.get_total_flops())
