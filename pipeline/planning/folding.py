"""Whether a job runs its network with batch norm folded.

Decided when its store is made, after both were seen to say the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from pipeline.errors import ModelError
from pipeline.geometry.span import round_up
from pipeline.inspect.instructions import torch_instructions
from pipeline.interfaces import Device, Locality, Network
from pipeline.models.bn_folding import Folded, fold
from pipeline.models.ensemble import Ensemble, members_of
from pipeline.models.loaded import Loaded
from pipeline.models.recorded_network import RecordedNetwork
from pipeline.models.weights.file_type import first_line
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, torch_device
from pipeline.runtime.record_files import NotRecorded, record_path, recorded, torch_release, write_record
from pipeline.runtime.resources import cache_folder

if TYPE_CHECKING:
    import torch


NOISE_SIDE = 128
"""Side of the images that are tried, px."""
FOLDING_VERSION = 1
"""Raised when folding or its comparison changes, so that networks are compared again."""
TIE_TOLERANCE = 2e-6
"""Of the largest logit. Two logits that are off by so much change places only within what counts as a tie."""
FOLD_ROUNDING_TOLERANCE = 1e-4
"""Of the largest logit: what folding moves in very deep networks, which magnify roundings."""


def allowed_fold_error(requested: Literal["auto"] | bool, precision: str) -> float | None:
    """How far apart a folded network may be, as a share of the largest logit; None where none is wanted.

    ``auto`` keeps labels the same up to ties; in shorter floats than float32 the rounding of folding is nothing beside
    theirs.
    """
    if requested is False:
        return None
    return TIE_TOLERANCE if requested == "auto" and precision in ("auto", "float32") else FOLD_ROUNDING_TOLERANCE


def choose_folding(
    network: Loaded, locality: Locality, device: Device, allowed_error: float | None, stored: bool | None
) -> Folded:
    """Fold a network, and keep to it where it says the same.

    Parameters
    ----------
    network
        As it was loaded.
    locality
        What was measured of it.
    device
        Where it is.
    allowed_error
        How far apart both may be, as a share of the largest logit; None to leave the network as it is.
    stored
        What a store was made with, which holds whatever is asked for; None where there is none yet.

    Raises
    ------
    ModelError
        The store was made by a folded network, and this one cannot be folded here.
    """
    if not (allowed_error if stored is None else stored):
        reason = "execution.fold is false" if stored is None else "the store was made without"
        return Folded(network=network, done=False, description=f"batch norm is not folded: {reason}")
    folded = _kept_fold(network)
    if stored and not folded.done:
        raise ModelError(
            f"The store was made by a folded network, but here {folded.description} (torch "
            f"{torch_release()}). Use the release of torch that made "
            f"it, or run with "
            "--fresh, which deletes the store and starts over."
        )
    obstacle = (
        None
        if stored or allowed_error is None or not folded.done
        else _first_fold_difference(network, folded.network, locality, device, allowed_error)
    )
    return (
        folded
        if obstacle is None
        else Folded(network=network, done=False, description=f"batch norm is not folded: {obstacle}")
    )


def _kept_fold(network: Loaded) -> Folded:
    """A network folded; of a recorded one what came of that before, or `NotRecorded`."""
    if network.runs_outside or "sha256" not in network.identity_fields:
        return fold(network)
    path = record_path(cache_folder() / "folds", [FOLDING_VERSION, torch_release(), network.identity()])
    if not isinstance(network, RecordedNetwork):
        folded = fold(network)
        write_record(path, {"done": folded.done, "description": folded.description})
        return folded
    try:
        values = json.loads(path.read_text())
        done, description = bool(values["done"]), str(values["description"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotRecorded("folding") from error
    return Folded(network=replace(network, folded=done), done=done, description=description)


def _kept_difference(
    network: Network,
    other: Network,
    shape: Sequence[int],
    device: Device,
    allowed_error: float,
    noise: Callable[[], torch.Tensor],
) -> str | None:
    """What `_fold_difference` says of the same network, releases of torch and kind of processor."""
    computing = [torch_release(), str(device), torch_instructions(), resources.cores()]
    key = [FOLDING_VERSION, network.identity(), *computing, allowed_error, list(shape)]
    return recorded(
        "folding",
        key,
        lambda: _fold_difference(network, other, noise(), allowed_error),
        lambda reason: {"obstacle": reason},
        lambda values: cast("str | None", values["obstacle"]),
    )


def noise_shape(network: Network, locality: Locality) -> tuple[int, int, int, int]:
    """(1, bands, rows, cols) of an image of noise, as small as the network takes and no smaller than `NOISE_SIDE`."""
    accepts = network.accepts
    side = max(
        round_up(
            max(min(NOISE_SIDE, accepts.maximum or NOISE_SIDE), locality.minimum),
            math.lcm(locality.stride, accepts.multiple),
        ),
        accepts.minimum,
    )
    return 1, locality.bands, side, side


def noise_image(network: Network, locality: Locality, device: Device) -> torch.Tensor:
    """Seeded noise, float32, of the shape of `noise_shape`."""
    import torch

    noise = torch.randn(noise_shape(network, locality), generator=torch.Generator().manual_seed(0))
    return noise.to(torch_device(device)).contiguous(memory_format=torch.channels_last)


def _first_fold_difference(
    network: Loaded, other: Loaded, locality: Locality, device: Device, allowed_error: float
) -> str | None:
    """As `_kept_difference`, of each network of an ensemble by its own logits."""
    image = partial(noise_image, network, locality, device)
    if not isinstance(network, Ensemble):
        return _kept_difference(network, other, noise_shape(network, locality), device, allowed_error, image)
    pairs = zip(network.members, members_of(other), strict=True)
    parts = ((one.network, folded, one.select_bands(image())) for one, folded in pairs)
    reasons = (
        _kept_difference(one, folded, part.shape, device, allowed_error, part.clone) for one, folded, part in parts
    )
    return next((reason for reason in reasons if reason is not None), None)


def _fold_difference(network: Network, other: Network, noise: torch.Tensor, allowed_error: float) -> str | None:
    """How two networks differ in float32 on noise, on stronger noise and on nothing but invalid pixels.

    None where they do not.
    """
    import torch

    with fixed_numerics("float32", resources.cores(), noise.device):
        for image in (noise, 3 * noise + 1, torch.zeros_like(noise)):
            try:
                reason = excess_difference(network(image), other(image), allowed_error)
            except Exception as error:  # whatever its layers raise
                return f"it could not be compared with the network as it is ({first_line(error)})"
            if reason is not None:
                return reason
    return None


def excess_difference(reference: torch.Tensor, other: torch.Tensor, allowed_error: float) -> str | None:
    """How far logits of one network are from those of another, where that is more than a share of the largest.

    None where it is not.
    """
    import torch

    if reference.shape != other.shape or not torch.equal(_nonfinite_codes(reference), _nonfinite_codes(other)):
        return "it gives NaN or infinity elsewhere than the network as it is"
    finite = reference.isfinite()
    error, largest = (
        float(values[finite].abs().max()) if finite.any() else 0.0 for values in (reference - other, reference)
    )
    share = error / max(largest, 1e-30)
    return (
        None
        if error <= allowed_error * largest
        else f"it is {share:.1e} of the largest logit from what the network says as it is, and may be {allowed_error:g}"
    )


def _nonfinite_codes(values: torch.Tensor) -> torch.Tensor:
    """1 where NaN, 2 where infinite, 3 where infinite below 0, else 0."""
    return values.isnan() + 2 * values.isposinf() + 3 * values.isneginf()
