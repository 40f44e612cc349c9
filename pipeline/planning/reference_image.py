"""The test image of a job's model description."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from pipeline.inspect.reference_image import ImageComparison, compare_images
from pipeline.models.bioimage.read import read_description
from pipeline.models.bioimage.weights import choose_kind, choose_weights
from pipeline.planning.job import Job
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, run_on_device_thread

if TYPE_CHECKING:
    from pipeline.models.loaded import Loaded


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
    weights = choose_weights(choose_kind(model, description), description)
    network = cast("Loaded", job.loaded)

    def compared() -> ImageComparison:
        with fixed_numerics("float32", resources.cores(), device):
            return compare_images(
                description, network, weights.format, device, job.plan.costs.activations, job.plan.budget
            )

    return run_on_device_thread(compared)
