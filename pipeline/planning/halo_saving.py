"""What a tolerance would save of an exact halo."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pipeline.inspect.halo.on_raster import profile
from pipeline.inspect.report.report import PROFILE_WINDOWS
from pipeline.planning.job import Job
from pipeline.planning.subject import network_on_raster
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics

SAVING_TOLERANCE = 1e-3
"""In standard deviations of the logits: what a mask hardly shows."""
MIN_OVERHEAD = 1.01
"""Arithmetic from which a saving is worth a measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """A halo that would leave little, beside the one of the plan."""

    tolerance: float
    halo: int | None
    """px; None where none below the plan's keeps to the tolerance."""
    error: float
    """Largest that was measured, in standard deviations of the logits."""
    arithmetic: float
    """Pixels that would go through the network for each pixel of the raster."""
    instead: float
    """The same of the plan."""

    def __str__(self) -> str:
        if self.halo is None:
            return f"no smaller halo keeps the error below {self.tolerance:g} on this raster"
        return (
            f"tile.halo: {{tolerance: {self.tolerance:.1e}}} would take about {self.halo} px, which change "
            f"no logit by more than {self.error:.0e} standard "
            f"deviations in {PROFILE_WINDOWS} places of the raster, for {self.arithmetic:.2f} × the "
            f"arithmetic instead of {self.instead:.2f} ×"
        )


def tolerance_saving(job: Job, seed: int = 0) -> Saving | None:
    """Measure what a tolerance would save.

    None where tiles are blended, a tolerance is asked for already, or halos cost little.

    Parameters
    ----------
    job
        Prepared.
    seed
        Of the places of the raster that are looked at.
    """
    tiles, work, on_raster = job.plan.tiles, job.task.layout.arithmetic_overhead(), network_on_raster(job)
    if tiles.halo is None or tiles.tolerated is not None or work < MIN_OVERHEAD or on_raster.cut < on_raster.multiple:
        return None
    with fixed_numerics(job.task.recipe.precision, resources.cores(), torch.device(job.task.device)):
        measured = profile(on_raster, PROFILE_WINDOWS, seed)
    if measured is None:
        return None
    halo_profile = measured[0]
    halo = halo_profile.halo_for(SAVING_TOLERANCE, tiles.multiple)
    if halo is None or halo >= tiles.halo:
        return Saving(
            tolerance=SAVING_TOLERANCE, halo=None, error=halo_profile.error(tiles.halo), arithmetic=work, instead=work
        )
    return Saving(
        tolerance=SAVING_TOLERANCE,
        halo=halo,
        error=halo_profile.error(halo),
        arithmetic=replace(tiles, halo=halo).layout().arithmetic_overhead(),
        instead=work,
    )
