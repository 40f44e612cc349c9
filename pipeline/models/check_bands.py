"""Whether a network takes as many bands as are read, seen by trying."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pipeline.errors import BandsError, ModelError
from pipeline.interfaces import InputConstraints
from pipeline.models.answer import SIDES
from pipeline.models.loaded import Loaded

if TYPE_CHECKING:
    import torch


MAX_BANDS = 256
"""Bands beyond which a convolution is not taken for the first one."""


def check_bands(network: Loaded, bands: int, name: str) -> None:
    """Refuse a network that takes another number of bands.

    The first weights that are registered need not be the first that run, so they only raise a suspicion: the network is
    refused where it fails on the bands read and runs on another number.

    Raises
    ------
    BandsError
        With the number of bands read and the number it takes.
    """
    suspected = declared_bands(network.module)
    if not suspected or suspected[0] == bands or runs_on(network, bands):
        return
    expected = next((number for number in suspected if number != bands and runs_on(network, number)), None)
    if expected is not None:
        raise BandsError(
            f"{bands} bands are read, but the network in {name} takes {expected} bands. Choose them with "
            f"source.bands, in its order.",
            expected,
        )


def declared_bands(module: torch.nn.Module) -> list[int]:
    """Input channels of its convolutions, in the order they are registered, each once."""
    weights = (
        parameter for name, parameter in module.named_parameters() if name.endswith("weight") and parameter.ndim == 4
    )
    declared = (getattr(part, "in_channels", None) for part in module.modules())
    numbers = chain((number for number in declared if isinstance(number, int)), (weight.shape[1] for weight in weights))
    return [number for number in dict.fromkeys(numbers) if number <= MAX_BANDS]


def runs_on(network: Loaded, bands: int) -> bool:
    """Whether a network runs on so many bands, at any usual size."""
    import torch

    parameter = next(network.module.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    for side in _sides(network.accepts):
        try:
            network(torch.zeros((1, bands, side, side), device=device))
            return True
        except ModelError:  # it ran, and what it returns is no map
            return True
        except Exception:  # noqa: S112  # whatever its layers raise, it does not run on this
            continue
    return False


def _sides(accepts: InputConstraints) -> list[int]:
    """Usual sizes that the file allows, px; its largest, which may be the only one, where it allows none of them."""
    if accepts.maximum is None:
        return list(SIDES)
    allowed = [side for side in SIDES if accepts.minimum <= side <= accepts.maximum and side % accepts.multiple == 0]
    return allowed or [accepts.maximum]
