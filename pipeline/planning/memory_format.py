"""In which order of its numbers in memory the network is given a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.interfaces import Device, Locality, Network
from pipeline.models.loaded import Loaded
from pipeline.runtime.backends import backend_of

if TYPE_CHECKING:
    import torch


CHANNELS_LAST, CONTIGUOUS = "channels_last", "contiguous"
NARROW = 16
"""Channels up to which kernels of channels_last are the slower ones.

One convolution of 1 × 1 px, four channels to four, in one thread: 12 CPU ms for a million pixels in channels_last, and
1.5 ms plane by plane; 4, 16 and 4 channels: 24 and 13 ms; 10, 64, 64 and 8: 290 and 440 ms.
"""


def choose_memory_format(
    network: Network, locality: Locality, device: Device, runtime: str, previous: str | None = None
) -> str:
    """The format for a network, which decides the last bits.

    Parameters
    ----------
    network
        As it was loaded: a folded one of TorchScript hides its weights.
    locality
        What was measured of it.
    device, runtime
        What it runs on.
    previous
        The format of the store that is there, or of the frozen plan: it stays.

    Returns
    -------
    str
        ``contiguous`` of a narrow network of single pixels in torch on a CPU, else ``channels_last``: one of
        `pipeline.inference.recipe.MEMORY_FORMATS`.
    """
    if previous is not None:
        return previous
    suits = runtime == "torch" and is_pixelwise(locality, device) and isinstance(network, Loaded)
    return CONTIGUOUS if suits and _is_narrow(network.module) else CHANNELS_LAST


def is_pixelwise(locality: Locality, device: Device) -> bool:
    """Whether a network sees single pixels on a CPU, where tiles may be as small as its cache."""
    return (
        locality.verdict == "local"
        and locality.radius is not None
        and locality.radius.largest == 0
        and not backend_of(device).copies
    )


def _is_narrow(module: torch.nn.Module) -> bool:
    """Whether all weights are those of convolutions, and none has many channels."""
    weights = [tensor for tensor in module.state_dict().values() if tensor.ndim > 1]
    return bool(weights) and all(weight.ndim == 4 and max(weight.shape[:2]) <= NARROW for weight in weights)
