"""The network of a job before its raster, for what looks at both beyond the plan."""

from __future__ import annotations

from pipeline.inspect.halo.on_raster import NetworkOnRaster
from pipeline.inspect.report.report import Subject
from pipeline.planning.job import Job


def network_on_raster(job: Job) -> NetworkOnRaster:
    """The network of a job before its raster, with as much room as its tiles have."""
    import torch

    return NetworkOnRaster(
        source=job.source,
        network=job.network,
        locality=job.locality,
        normalisation=job.task.recipe.normalisation,
        device=torch.device(job.task.device),
        multiple=job.plan.tiles.multiple,
        room=job.plan.tiles.size,
        area=job.task.area,
    )


def subject(job: Job) -> Subject:
    """What `inspect` measures of a job."""
    return Subject(
        on_raster=network_on_raster(job),
        loaded=job.loaded,
        precision=job.task.recipe.precision,
        activations=job.plan.costs.activations,
        raster=job.config.source.place,
    )
