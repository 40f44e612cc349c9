"""What a tolerance would save of an exact halo."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pipeline.inspect.halo.on_raster import profile
from pipeline.inspect.report.report import PLACES
from pipeline.planning.job import Job
from pipeline.planning.subject import sight
from pipeline.runtime import resources
from pipeline.runtime.device import rounding

TOLERANCE = 1e-3
"""In standard deviations of the logits: what a mask hardly shows."""
WORTH = 1.01
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
            f"tile.halo: {{tolerance: {self.tolerance:.1e}}} would take about {self.halo} px, which change no logit by more than {self.error:.0e} standard "
            f"deviations in {PLACES} places of the raster, for {self.arithmetic:.2f} × the arithmetic instead of {self.instead:.2f} ×"
        )


def saving(job: Job, seed: int = 0) -> Saving | None:
    """Measure what a tolerance would save; None where tiles are blended, a tolerance is asked for already, or halos cost little.

    Parameters
    ----------
    job
        Prepared.
    seed
        Of the places of the raster that are looked at.
    """
    tiles, work, looks = job.plan.tiles, job.task.layout.work(), sight(job)
    if tiles.halo is None or tiles.tolerated is not None or work < WORTH or looks.cut < looks.multiple:
        return None
    with rounding(job.task.recipe.precision, resources.cores(), torch.device(job.task.device)):
        measured = profile(looks, PLACES, seed)
    if measured is None:
        return None
    found = measured[0]
    halo = found.halo_for(TOLERANCE, tiles.multiple)
    if halo is None or halo >= tiles.halo:
        return Saving(tolerance=TOLERANCE, halo=None, error=found.error(tiles.halo), arithmetic=work, instead=work)
    return Saving(tolerance=TOLERANCE, halo=halo, error=found.error(halo), arithmetic=replace(tiles, halo=halo).layout().work(), instead=work)
