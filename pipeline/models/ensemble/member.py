"""One network of an ensemble, from a tile to probabilities of the classes of the store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

from pipeline.interfaces import Locality
from pipeline.models.loaded import Loaded
from pipeline.models.probabilities import Activation, activated

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleMember:
    """A network, what its numbers become, and its weight in the mean."""

    network: Loaded
    name: str
    """Its file or factory, for messages."""
    weight: float = 1.0
    activation: Activation | Literal["auto"] = "auto"
    """``auto`` until it is decided, which takes a look at the network."""
    temperature: float = 1.0
    """What logits are divided by before the activation."""
    groups: tuple[tuple[int, ...], ...] = ()
    """Channels of each class of the store, whose probabilities are added up; empty where each channel is a class."""
    first_band: int = 0
    """Where its bands begin in the input of the ensemble."""
    bands: int | None = None
    """How many they are; None for all."""
    locality: Locality | None = None
    """What was measured of it; None where nothing was."""

    def select_bands(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands of all, rows, cols) → the bands that this network is given."""
        return x if self.bands is None else x[:, self.first_band : self.first_band + self.bands]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands of all, rows, cols) float32 → (n, classes, rows, cols) float32, which may be the network's own."""
        assert self.activation != "auto", "an activation is decided before the first tile"
        scores = activated(self.network(self.select_bands(x)), self.activation, self.temperature, axis=1)
        return summed(scores, self.groups) if self.groups else scores

    def with_network(self, network: Loaded) -> EnsembleMember:
        """The same with another form of its network."""
        return replace(self, network=network)

    def identity(self, share: float) -> dict[str, Any]:
        """What makes its part of the mean what it is; the share is that of its weight in all."""
        return {
            **self.network.identity(),
            "weight": share,
            "activation": self.activation,
            "temperature": self.temperature,
            "first_band": self.first_band,
        }


def summed(probabilities: torch.Tensor, groups: tuple[tuple[int, ...], ...]) -> torch.Tensor:
    """(n, channels, rows, cols) → (n, groups, rows, cols): the sum over the channels of each group."""
    import torch

    return torch.stack([reduce(torch.add, (probabilities[:, k] for k in channels)) for channels in groups], 1)
