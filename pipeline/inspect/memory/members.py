"""What a pixel costs inside a network, or inside the networks of an ensemble, which run one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from pipeline.inspect.memory.activation_memory import ActivationMemory, measure_activation_memory
from pipeline.inspect.memory.limit import Room
from pipeline.interfaces import Network
from pipeline.models.ensemble import Ensemble, EnsembleMember


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleMemory(ActivationMemory):
    """Of all networks together, per pixel of the input."""

    members: tuple[ActivationMemory, ...]
    """Of each."""


def measure_network_memory(
    network: Network,
    bands: int,
    multiple: int,
    device: torch.device,
    dtype: torch.dtype,
    *,
    minimum: int,
    budget: int,
    returns_variance: bool,
) -> ActivationMemory:
    """Run one image through each network and follow the allocator.

    Parameters
    ----------
    network, bands, multiple, device, dtype, minimum
        As for `measure_activation_memory`.
    budget
        Bytes that this process may hold, libraries included.
    returns_variance
        Whether an ensemble also returns how far its networks are apart.

    Raises
    ------
    PlanError
        There is no room for the smallest image.
    """
    measure = partial(measure_activation_memory, multiple=multiple, device=device, dtype=dtype, minimum=minimum)
    if not isinstance(network, Ensemble):
        return measure(network, bands, room=Room(budget))
    costs = tuple(measure(member.network, member.network.bands, room=Room(budget)) for member in network.members)
    return _joint_memory(network, costs, returns_variance)


def _joint_memory(network: Ensemble, costs: tuple[ActivationMemory, ...], returns_variance: bool) -> EnsembleMemory:
    """The costliest network, with what is held of those before it; and the time of all."""
    fullness = [cost.fullness for cost in costs]
    per_pixel = [
        max(cost.bytes_per_pixel, _bytes_of_mean(member, returns_variance))
        + (place > 0) * _bytes_held(member, returns_variance)
        for place, (member, cost) in enumerate(zip(network.members, costs, strict=True))
    ]
    return EnsembleMemory(
        bytes_per_pixel=max(per_pixel),
        fullness=None if None in fullness else max(value for value in fullness if value is not None),
        seconds_per_pixel=sum(cost.seconds_per_pixel for cost in costs),
        members=costs,
    )


def _bytes_held(member: EnsembleMember, returns_variance: bool) -> int:
    """Bytes per pixel of the mean so far, and of the variance, while a network runs."""
    return 4 * _classes(member) * (1 + returns_variance)


def _bytes_of_mean(member: EnsembleMember, returns_variance: bool) -> int:
    """Bytes per pixel while an answer becomes probabilities and is added: both, and their difference from the mean."""
    channels = member.locality.classes if member.locality else _classes(member)
    return 4 * (2 * channels + (2 + returns_variance) * _classes(member))


def _classes(member: EnsembleMember) -> int:
    return len(member.groups) or (member.locality.classes if member.locality else 0)
