"""What a network does, seen by running it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pipeline.config import ModelConfig
from pipeline.errors import BandsError
from pipeline.inspect.cache import cached
from pipeline.interfaces import Locality, Network
from pipeline.models import load
from pipeline.planning import activation

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a network."""

    network: Network
    bands: int
    locality: Locality
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
    locality = cached(network, bands, trained=model.input.size if model.input else None)
    activation.check(model.output, locality)
    return Seen(network=locality.given(network), bands=bands, locality=locality, notes=network.notes)
