"""A network of several inputs as one that takes one image, which holds the bands of all.

::

    image   |red green blue|height|      bands, by ModelConfig.input_bands
             └── before ──┘ └after┘      inputs of the network, by name
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from pipeline.config import InputBands

Images = dict[str, torch.Tensor]
"""(batch, bands, rows, cols) of each input, by name."""
Call = Callable[[torch.nn.Module, Images], Any]


class SplitInput(torch.nn.Module):
    """Gives each input its bands of one image. In eval mode, as the network that it holds."""

    def __init__(self, network: torch.nn.Module, inputs: Sequence[InputBands], call: Call) -> None:
        super().__init__()
        self.network, self.inputs, self.call = network, tuple(inputs), call
        self.training = False  # as the network is, whose eval() raises where it is an exported program

    def forward(self, x: torch.Tensor) -> Any:
        """(batch, bands of all inputs, rows, cols) → what the network returns.

        Raises
        ------
        ValueError
            There are other bands than those of all inputs.
        """
        return self.call(self.network, split_bands(x, self.inputs))

    def with_network(self, network: torch.nn.Module) -> SplitInput:
        """The same inputs of another form of the network."""
        return SplitInput(network, self.inputs, self.call)


def split_bands(x: torch.Tensor, inputs: Sequence[InputBands]) -> Images:
    """The image of each input, laid out in memory as the whole is.

    Parameters
    ----------
    x
        (batch, bands, rows, cols).
    inputs
        In the order of the bands.

    Raises
    ------
    ValueError
        There are other bands than those of all inputs.
    """
    counts = [entry.bands for entry in inputs]
    if x.shape[1] != sum(counts):
        raise ValueError(f"{x.shape[1]} bands are given, and the inputs take {sum(counts)}")
    last = x.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    parts = (part.contiguous(memory_format=layout) for part in x.split(counts, dim=1))
    return {entry.name: part for entry, part in zip(inputs, parts, strict=True)}


def network_within(module: torch.nn.Module) -> torch.nn.Module:
    """The network that a module of several inputs calls; any other module as it is."""
    return module.network if isinstance(module, SplitInput) else module


def by_name(network: torch.nn.Module, images: Images) -> Any:
    """Call a network with a keyword for each input."""
    return network(**images)


def as_mapping(network: torch.nn.Module, images: Images) -> Any:
    """Call a network with one mapping of all inputs."""
    return network(images)
