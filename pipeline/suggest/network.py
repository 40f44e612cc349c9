"""What a network does, seen by running it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.config import ModelConfig
from pipeline.errors import BandsError
from pipeline.locality.cache import cached
from pipeline.models import load
from pipeline.protocols import Locality, Network
from pipeline.raster.span import round_up

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a network."""

    bands: int
    locality: Locality
    squashed: str
    """``softmax`` or ``sigmoid`` where what it returns are probabilities already, else empty."""
    notes: tuple[str, ...]
    """What was unwrapped and left out of its file."""


def see(model: ModelConfig, bands: int) -> Seen:
    """Load a network with the scene's bands, or with fewer where it takes fewer, and measure it.

    Raises
    ------
    ModelError
        It does not run, or takes more bands than there are.
    """
    try:
        network = load(model, bands, CPU)
    except BandsError as error:
        if error.wanted > bands:
            raise
        bands = error.wanted
        network = load(model, bands, CPU)
    locality = cached(network, bands)
    return Seen(bands=bands, locality=locality, squashed=_squashed(network, locality), notes=network.notes)


def _squashed(network: Network, locality: Locality) -> str:
    unit = math.lcm(locality.stride, network.accepts.multiple)
    side = round_up(max(locality.minimum, network.accepts.minimum, 32), unit)
    side = min(side, network.accepts.maximum or side)
    answer: Any = network(3 * torch.randn(1, locality.bands, side, side, generator=torch.Generator().manual_seed(0)))[0]
    if answer.min() < 0 or answer.max() > 1 or answer.max() == answer.min():
        return ""
    return "softmax" if len(answer) > 1 and bool(((answer.sum(0) - 1).abs() < 1e-3).all()) else "sigmoid"
