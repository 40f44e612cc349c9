"""What a network does, seen by running it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pipeline.config import ModelConfig
from pipeline.errors import BandsError
from pipeline.inspect.cache import cached
from pipeline.interfaces import Locality, Network
from pipeline.models import load
from pipeline.models.loaded import Loaded
from pipeline.planning import activation

CPU_DEVICE = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """What was seen of a network."""

    network: Network
    bands: int
    locality: Locality
    notes: tuple[str, ...]
    """What was unwrapped and left out of its file."""


def run_network(model: ModelConfig, bands: int) -> NetworkFacts:
    """Load a network with the scene's bands, or with fewer where it takes fewer, and measure it.

    Raises
    ------
    ModelError
        It does not run, or takes more bands than there are.
    """
    try:
        network = load(model, bands, CPU_DEVICE)
    except BandsError as error:
        if error.expected > bands:
            raise
        bands = error.expected
        network = load(model, bands, CPU_DEVICE)
    return measured_facts(network, bands, model)


def measured_facts(network: Loaded, bands: int, model: ModelConfig) -> NetworkFacts:
    """What is seen of a network that is loaded. Raises ModelError where it runs on no size."""
    locality = cached(network, bands, trained=model.input.size if model.input else None)
    activation.require_class_scores(model.output, locality)
    return NetworkFacts(network=locality.apply_to(network), bands=bands, locality=locality, notes=network.notes)
