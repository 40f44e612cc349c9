"""The network of a job before its raster, for what looks at both beyond the plan."""

from __future__ import annotations

import torch

from pipeline.inspect.halo.on_raster import Sight
from pipeline.inspect.report.report import Subject
from pipeline.planning.job import Job


def sight(job: Job) -> Sight:
    """The network of a job before its raster, with as much room as its tiles have."""
    return Sight(
        source=job.source, network=job.network, locality=job.locality, normalisation=job.task.recipe.normalisation, device=torch.device(job.task.device),
        multiple=job.plan.tiles.multiple, room=job.plan.tiles.size, area=job.task.area,
    )  # fmt: skip


def subject(job: Job) -> Subject:
    """What `inspect` measures of a job."""
    return Subject(
        sight=sight(job), loaded=job.loaded, precision=job.task.recipe.precision, activations=job.plan.costs.activations,
        raster=str(job.config.source.path),
    )  # fmt: skip
