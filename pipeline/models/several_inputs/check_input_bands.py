"""Whether each input of a network takes as many bands as are read for it, seen by trying."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

import torch

from pipeline.config import InputBands
from pipeline.models.check_bands import declared_bands, runs_on
from pipeline.models.loaded import Loaded
from pipeline.models.several_inputs.sizes import input_bands_error
from pipeline.models.several_inputs.split_input import SplitInput

MAX_TRIED = 200
"""Combinations of numbers of bands that are tried."""


def check_input_bands(network: Loaded, inputs: Sequence[InputBands], name: str) -> None:
    """Refuse a network one of whose inputs takes another number of bands.

    The network is refused where it fails on the bands read, and runs on other numbers that its convolutions have.

    Raises
    ------
    BandsError
        With the first input that takes other bands, and how many.
    """
    split = network.module
    if not isinstance(split, SplitInput) or runs_on(network, sum(entry.bands for entry in inputs)):
        return
    for other in islice(_others(split.network, inputs), MAX_TRIED):
        if runs_on(_with_inputs(network, split, other), sum(entry.bands for entry in other)):
            given, taken = next((a, b) for a, b in zip(inputs, other, strict=True) if a != b)
            raise input_bands_error(taken.bands, given.bands, given.name, name)


def _others(network: torch.nn.Module, inputs: Sequence[InputBands]) -> Iterator[tuple[InputBands, ...]]:
    """Other numbers of bands for each input, those first that change the fewest inputs."""
    numbers = declared_bands(network)
    choices = [dict.fromkeys([entry.bands, *numbers]) for entry in inputs]
    given = tuple(entry.bands for entry in inputs)
    counts = sorted(product(*choices), key=lambda one: sum(a != b for a, b in zip(one, given, strict=True)))
    for bands in counts:
        if bands != given:
            yield tuple(InputBands(entry.name, count) for entry, count in zip(inputs, bands, strict=True))


def _with_inputs(network: Loaded, split: SplitInput, inputs: tuple[InputBands, ...]) -> Loaded:
    return Loaded(
        module=SplitInput(split.network, inputs, split.call),
        identity_fields={},
        key=network.key,
        accepts=network.accepts,
    )
