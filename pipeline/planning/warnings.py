"""What does not look right of a job, before it runs."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from pipeline.errors import InferenceError, ReadError
from pipeline.inspect import plausibility
from pipeline.planning.job import Job
from pipeline.planning.pixel_size import pixel_size_warnings, stated_facts
from pipeline.planning.subject import network_on_raster
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, run_on_device_thread


def _pixel_size_warnings(job: Job) -> Iterator[str]:
    model = job.config.model
    for one in [member.model for member in model.members] or [model]:
        yield from pixel_size_warnings(stated_facts(one.path), job.source)


def job_warnings(job: Job) -> tuple[str, ...]:
    """A sentence for each; none where the raster cannot be read, which the run will tell.

    Parameters
    ----------
    job
        Prepared.
    """
    names = {row.code: row.name for row in job.spec.classes}
    recipe, device = job.task.recipe, torch.device(job.task.device)

    def tried() -> tuple[str, ...]:
        with fixed_numerics(recipe.precision, resources.cores(), device):
            decoding = recipe.decoding if recipe.has_classes else None
            return tuple(plausibility.plausibility_warnings(network_on_raster(job), decoding, names))

    try:
        return (*_pixel_size_warnings(job), *run_on_device_thread(tried))
    except ReadError:
        return ()
    except InferenceError as error:  # of the transform, on a window of the sample: it fails the blocks that lie there
        return (
            f"{error}. Blocks that hold such pixels will fail: clip or shift them in the transform, or set "
            f"source.nodata where they are no data",
        )
