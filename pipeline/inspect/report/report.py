"""Everything that `inspect` finds out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.inspect.halo.on_raster import NetworkOnRaster
from pipeline.inspect.halo.on_raster import profile as measure
from pipeline.inspect.halo.profile import Floats, HaloProfile
from pipeline.inspect.report.arithmetic import flops_per_pixel
from pipeline.inspect.report.halo_costs import HaloCost, cost_of_halos
from pipeline.inspect.report.inputs import input_facts
from pipeline.interfaces import Locality, Network
from pipeline.models.architectures.convolutional import Convolutional, difference_from_sliding
from pipeline.models.ensemble import Ensemble, EnsembleMember, members_of
from pipeline.models.loaded import Loaded
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics
from pipeline.runtime.record_files import recorded

PROFILE_WINDOWS = 3
PROFILE_VERSION = 1
"""Raised when it is measured in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkReport:
    """A network on a raster."""

    parameters: int
    flops_per_pixel: float
    """Of the input; a multiplication and its addition are two."""
    bytes_per_pixel: float
    """Live at the peak, beyond the input."""
    locality: Locality
    multiple: int
    """Sizes it is given are multiples of this, px."""
    tile: int
    """Longest tile of the plan, px."""
    profile: HaloProfile | None
    """None where the network takes no image of which anything could be cut off and compared."""
    halos: tuple[HaloCost, ...]
    notes: tuple[str, ...]
    """What is peculiar to its kind."""
    weights: tuple[str, ...]
    """What was unwrapped and left out of its file."""
    inputs: list[dict[str, Any]]
    """Of a network of several inputs, as `input_facts` gives them."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        curves = (
            {name: _json_values(getattr(self.profile, name)) for name in ("largest", "typical", "flipped")}
            if self.profile
            else {}
        )
        profile = {**asdict(self.profile), **curves} if self.profile else None
        rest = {
            "halo_profile": profile,
            "halos": [asdict(halo) for halo in self.halos],
            "notes": list(self.notes),
            "weights": list(self.weights),
            "inputs": self.inputs,
        }
        costs = {
            "parameters": self.parameters,
            "flops_per_pixel": self.flops_per_pixel,
            "bytes_per_pixel": self.bytes_per_pixel,
        }
        return {**costs, **asdict(self.locality), "multiple": self.multiple, "tile": self.tile, **rest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network on a raster, as a plan would run it."""

    on_raster: NetworkOnRaster
    """The network as it runs, with as much room as a tile of the plan has."""
    loaded: Network
    """The network as its file has it."""
    precision: str
    activations: float
    """Live bytes per pixel at the peak, beyond the input."""
    raster: str
    """The raster's path, for messages."""


def inspect_network(subject: Subject, seed: int = 0) -> NetworkReport:
    """Measure what a plan does not need and a person wants to know.

    Parameters
    ----------
    subject
        The network on its raster.
    seed
        Of the places of the raster that are looked at.
    """
    on_raster, network = subject.on_raster, subject.loaded
    with fixed_numerics(subject.precision, resources.cores(), on_raster.device):
        profile = _profile(subject, seed)
        return NetworkReport(
            parameters=sum(map(_parameters, members_of(network))),
            flops_per_pixel=sum(_flops(one, on_raster) for one in members_of(network)),
            bytes_per_pixel=subject.activations,
            locality=on_raster.locality,
            multiple=on_raster.multiple,
            tile=on_raster.room,
            profile=profile,
            halos=cost_of_halos(profile, on_raster.locality, on_raster.multiple, on_raster.room),
            notes=(*_member_notes(network), *(note for one in members_of(network) for note in _notes(one))),
            weights=network.notes,
            inputs=input_facts(network, on_raster.locality),
        )


def _parameters(network: Network) -> int:
    """Numbers that were learned."""
    if network.graph is not None:
        return network.graph.parameters
    return sum(parameter.numel() for parameter in network.module.parameters())


def _flops(network: Loaded, on_raster: NetworkOnRaster) -> float:
    bands = network.bands or on_raster.normalisation.channels
    return flops_per_pixel(network, bands, on_raster.multiple, on_raster.device, on_raster.room)


def _profile(subject: Subject, seed: int) -> HaloProfile | None:
    """Kept under the network, the raster and all else that decides it."""
    on_raster = subject.on_raster
    if on_raster.cut < on_raster.multiple:
        return None
    key = [PROFILE_VERSION, PROFILE_WINDOWS, seed, subject.precision, on_raster.identity()]
    return recorded("halo_profile", key, lambda: _measured_profile(subject, seed), HaloProfile.as_dict, HaloProfile.of)


def _measured_profile(subject: Subject, seed: int) -> HaloProfile:
    measured = measure(subject.on_raster, PROFILE_WINDOWS, seed)
    if measured is None:
        raise SourceError(
            f"No valid pixel was found in {subject.raster} to look at the network on. Give another raster, "
            f"or source.nodata."
        )
    return measured[0]


def _json_values(values: Floats) -> list[float | None]:
    """JSON knows no infinity."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _member_notes(network: Network) -> tuple[str, ...]:
    """What was measured of each network of an ensemble."""
    if not isinstance(network, Ensemble) or len(network.members) == 1:
        return ()
    return tuple(_member_note(member, member.locality) for member in network.members if member.locality is not None)


def _member_note(member: EnsembleMember, locality: Locality) -> str:
    radius = locality.radius.largest if locality.radius else "unbounded"
    return (
        f"{member.name}: {_parameters(member.network):,} parameters, {locality.verdict}, stride {locality.stride} px, "
        f"radius {radius} px"
    )


def _notes(network: Network) -> tuple[str, ...]:
    if not isinstance(network.module, Convolutional):
        return ()
    deviation = difference_from_sliding(network.module)
    same = (
        "to rounding, since nothing in it pads"
        if deviation < 1e-3
        else "since its padding acts at the image's edges only, not at every window's"
    )
    return (
        f"a classifier of {network.module.size} px windows, every {network.module.stride} px; slid over an "
        f"image its scores differ from the map "
        f"by at most {deviation:.2g} of their standard deviation, {same}",
    )
