"""What a pixel costs inside the networks of an ensemble, which run one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.inspect.memory.activation_memory import ActivationMemory
from pipeline.models.ensemble import Ensemble, EnsembleMember
from pipeline.models.loaded import Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleMemory(ActivationMemory):
    """Of all networks together, per pixel of the input."""

    members: tuple[ActivationMemory, ...]
    """Of each."""


def memory_of_members(
    network: Ensemble, measure: Callable[[Loaded, int], ActivationMemory], returns_variance: bool
) -> EnsembleMemory:
    """The costliest network, with what is held of those before it; and the time of all.

    Parameters
    ----------
    network
        On its device.
    measure
        Measures a network with so many bands.
    returns_variance
        Whether the ensemble also returns how far its networks are apart.

    Raises
    ------
    PlanError
        There is no room for the smallest image.
    """
    costs = tuple(measure(member.network, member.network.bands) for member in network.members)
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
