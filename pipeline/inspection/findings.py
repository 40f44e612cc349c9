"""Everything that `inspect` finds out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline import machine
from pipeline.errors import SourceError
from pipeline.inspection.halos import HaloCost, priced
from pipeline.job import Job
from pipeline.locality import steps
from pipeline.locality.halo_profile import Floats, HaloProfile
from pipeline.locality.probe import Prober
from pipeline.networks.classifier import Convolutional, difference
from pipeline.protocols import Locality, Network
from pipeline.raster.span import round_up
from pipeline.resolve.halo.profile import Sight
from pipeline.resolve.halo.profile import profile as measure
from pipeline.stages.device import rounding

PLACES = 3
SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
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

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        curves = {name: _plain(getattr(self.profile, name)) for name in ("largest", "typical", "flipped")} if self.profile else {}
        profile = {**asdict(self.profile), **curves} if self.profile else None
        rest = {"halo_profile": profile, "halos": [asdict(halo) for halo in self.halos], "notes": list(self.notes), "weights": list(self.weights)}
        costs = {"parameters": self.parameters, "flops_per_pixel": self.flops_per_pixel, "bytes_per_pixel": self.bytes_per_pixel}
        return {**costs, **asdict(self.locality), "multiple": self.multiple, "tile": self.tile, **rest}


def find(job: Job, seed: int = 0) -> Findings:
    """Measure what a plan does not need and a person wants to know.

    Parameters
    ----------
    job
        Prepared.
    seed
        Of the places of the raster that are looked at.
    """
    multiple, network = job.plan.tiles.multiple, job.loaded
    with rounding(job.task.recipe.precision, machine.cores(), torch.device(job.task.device)):
        profile = _profile(job, seed)
        return Findings(
            parameters=network.graph.parameters if network.graph else sum(parameter.numel() for parameter in network.module.parameters()),
            flops_per_pixel=flops_per_pixel(network, job.task.recipe.normalisation.channels, multiple, torch.device(job.task.device), job.plan.tiles.size),
            bytes_per_pixel=job.plan.costs.activations,
            locality=job.locality,
            multiple=multiple,
            tile=job.plan.tiles.size,
            profile=profile,
            halos=priced(profile, job.locality, multiple, job.plan.tiles.size),
            notes=_notes(network),
            weights=network.notes,
        )


def _profile(job: Job, seed: int) -> HaloProfile | None:
    looks = sight(job)
    if looks.cut < looks.multiple:
        return None
    measured = measure(looks, PLACES, seed)
    if measured is None:
        raise SourceError(f"No valid pixel was found in {job.config.source.path} to look at the network on. Give another raster, or source.nodata.")
    return measured[0]


def flops_per_pixel(network: Network, bands: int, multiple: int, device: torch.device, largest: int = SIDE) -> float:
    """Floating-point operations per pixel of an input of at most ``largest`` px, as torch counts them: products of matrices and convolutions."""
    accepts, length = network.accepts, min(SIDE, largest)
    side = max(round_up(min(length, accepts.maximum or length), multiple), accepts.minimum)
    if network.graph is not None:
        return steps.flops(network.graph, Prober(network=network, bands=bands, device=device), side) / side**2
    with FlopCounterMode(display=False) as counted:
        network(torch.zeros((1, bands, side, side), device=device))
    return float(counted.get_total_flops()) / side**2


def _plain(values: Floats) -> list[float | None]:
    """JSON knows no infinity."""
    return [float(value) if np.isfinite(value) else None for value in values]


def sight(job: Job) -> Sight:
    """The network of a job before its raster, with as much room as its tiles have."""
    return Sight(
        source=job.source, network=job.network, locality=job.locality, normalisation=job.task.recipe.normalisation, device=torch.device(job.task.device),
        multiple=job.plan.tiles.multiple, room=job.plan.tiles.size, area=job.task.area,
    )  # fmt: skip


def _notes(network: Network) -> tuple[str, ...]:
    if not isinstance(network.module, Convolutional):
        return ()
    apart = difference(network.module)
    same = "to rounding, since nothing in it pads" if apart < 1e-3 else "since its padding acts at the image's edges only, not at every window's"
    return (
        f"a classifier of {network.module.size} px windows, every {network.module.stride} px; slid over an image its scores differ from the map "
        f"by at most {apart:.2g} of their standard deviation, {same}",
    )
