"""Whether a job runs its network with batch norm folded: decided when its store is made, after both were seen to say the same."""

from __future__ import annotations

import math
from typing import Literal

import torch

from pipeline.errors import ModelError
from pipeline.geometry.span import round_up
from pipeline.interfaces import Locality, Network
from pipeline.models.bn_folding import Folded, fold
from pipeline.models.loaded import Loaded
from pipeline.models.weights.file_type import first_line
from pipeline.runtime import resources
from pipeline.runtime.device import rounding

SIDE = 128
"""Side of the images that are tried, px."""
TIE = 2e-6
"""Of the largest logit. Two logits that are off by so much change places only within what counts as a tie."""
ROUNDING = 1e-4
"""Of the largest logit: what folding moves in very deep networks, which magnify roundings."""


def most(asked: Literal["auto"] | bool, precision: str) -> float | None:
    """How far apart a folded network may be, as a share of the largest logit; None where none is wanted.

    ``auto`` keeps labels the same up to ties; in shorter floats than float32 the rounding of folding is nothing beside theirs.
    """
    if asked is False:
        return None
    return TIE if asked == "auto" and precision in ("auto", "float32") else ROUNDING


def decide(network: Loaded, locality: Locality, device: torch.device, most: float | None, stored: bool | None) -> Folded:
    """Fold a network, and keep to it where it says the same.

    Parameters
    ----------
    network
        As it was loaded.
    locality
        What was measured of it.
    device
        Where it is.
    most
        How far apart both may be, as a share of the largest logit; None to leave the network as it is.
    stored
        What a store was made with, which holds whatever is asked for; None where there is none yet.

    Raises
    ------
    ModelError
        The store was made by a folded network, and this one cannot be folded here.
    """
    if not (most if stored is None else stored):
        why = "execution.fold is false" if stored is None else "the store was made without"
        return Folded(network=network, done=False, said=f"batch norm is not folded: {why}")
    found = fold(network)
    if stored and not found.done:
        raise ModelError(
            f"The store was made by a folded network, but here {found.said} (torch {torch.__version__}). Use the release of torch that made it, or run with "
            "--fresh, which deletes the store and starts over."
        )
    apart = None if stored or most is None or not found.done else _apart(network, found.network, locality, device, most)
    return found if apart is None else Folded(network=network, done=False, said=f"batch norm is not folded: {apart}")


def trial(network: Network, locality: Locality, device: torch.device) -> torch.Tensor:
    """(1, bands, rows, cols) float32 of seeded noise, as small as the network takes and no smaller than `SIDE`."""
    accepts = network.accepts
    side = max(round_up(max(min(SIDE, accepts.maximum or SIDE), locality.minimum), math.lcm(locality.stride, accepts.multiple)), accepts.minimum)
    noise = torch.randn((1, locality.bands, side, side), generator=torch.Generator().manual_seed(0))
    return noise.to(device).contiguous(memory_format=torch.channels_last)


def _apart(network: Network, other: Network, locality: Locality, device: torch.device, most: float) -> str | None:
    """How two networks differ in float32 on noise, on stronger noise and on nothing but invalid pixels; None where they do not."""
    noise = trial(network, locality, device)
    with rounding("float32", resources.cores(), device):
        for image in (noise, 3 * noise + 1, torch.zeros_like(noise)):
            try:
                why = difference(network(image), other(image), most)
            except Exception as error:  # whatever its layers raise
                return f"it could not be compared with the network as it is ({first_line(error)})"
            if why is not None:
                return why
    return None


def difference(one: torch.Tensor, other: torch.Tensor, most: float) -> str | None:
    """How far logits of one network are from those of another, where that is more than a share of the largest; None where it is not."""
    if one.shape != other.shape or not torch.equal(_strange(one), _strange(other)):
        return "it gives NaN or infinity elsewhere than the network as it is"
    known = one.isfinite()
    apart, largest = (float(values[known].abs().max()) if known.any() else 0.0 for values in (one - other, one))
    share = apart / max(largest, 1e-30)
    return None if apart <= most * largest else f"it is {share:.1e} of the largest logit from what the network says as it is, and may be {most:g}"


def _strange(values: torch.Tensor) -> torch.Tensor:
    """1 where NaN, 2 where infinite, 3 where infinite below 0, else 0."""
    return values.isnan() + 2 * values.isposinf() + 3 * values.isneginf()
