"""The test image of a job's model description."""

from __future__ import annotations

import torch

from pipeline.inspect.reference_image import NO_REFERENCE_IMAGE, ImageComparison, compare_images
from pipeline.models.descriptions import read_description
from pipeline.models.ensemble import members_of
from pipeline.planning.job import Job
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, run_on_device_thread


def compare_reference_image(job: Job) -> ImageComparison | None:
    """How the test image comes out; None where the model has no description.

    Raises
    ------
    ModelError
        A file of the test is missing, was changed, or holds something else.
    """
    model, device = job.config.model, torch.device(job.task.device)
    description = None if model.path is None else read_description(model.path)
    if description is None:
        return None
    network = members_of(job.loaded)[0]
    case = description.reference_case(model, network.key)
    if case is None:
        return NO_REFERENCE_IMAGE

    def compared() -> ImageComparison:
        with fixed_numerics("float32", resources.cores(), device):
            return compare_images(case, network, device, job.plan.costs.activations, job.plan.budget)

    return run_on_device_thread(compared)
