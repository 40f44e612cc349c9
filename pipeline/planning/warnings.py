"""What does not look right of a job, before it runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from pipeline.errors import InferenceError, ReadError
from pipeline.inspect.momentary_warning import MomentaryWarning
from pipeline.models.recorded_network import RECORDED_KINDS
from pipeline.planning.job import Job
from pipeline.runtime import resources
from pipeline.runtime.device import fixed_numerics, run_on_device_thread
from pipeline.runtime.record_files import record_path, recorded, require_measuring, torch_release, write_record
from pipeline.runtime.resources import cache_folder

WARNINGS_VERSION = 1
"""Raised when what is looked at changes, so that networks are tried again."""


def _pixel_size_warnings(job: Job) -> Iterator[str]:
    model = job.config.model
    if _states_no_size(job):
        return
    from pipeline.planning.pixel_size import pixel_size_warnings, stated_facts

    for one in [member.model for member in model.members] or [model]:
        yield from pixel_size_warnings(stated_facts(one.path), job.source)


def _states_no_size(job: Job) -> bool:
    """Whether the file of a network is known to state no size of its pixels: what a whole file states is kept."""
    model, identity = job.config.model, job.network.identity()
    if identity.get("kind") not in RECORDED_KINDS or model.described or model.members:
        return False

    def stated() -> float | None:
        from pipeline.planning.pixel_size import stated_facts

        facts = stated_facts(model.path)
        return None if facts is None else facts.pixel_size

    key = [WARNINGS_VERSION, identity["sha256"]]
    return recorded("pixel-size", key, stated, lambda size: {"size": size}, lambda values: values["size"]) is None


def job_warnings(job: Job) -> tuple[str, ...]:
    """A sentence for each; none where the raster cannot be read, which the run will tell.

    Parameters
    ----------
    job
        Prepared.
    """
    names = {row.code: row.name for row in job.spec.classes}
    recipe = job.task.recipe
    decoding = recipe.decoding if recipe.has_classes else None

    def tried() -> tuple[str, ...]:
        import torch

        from pipeline.inspect import plausibility
        from pipeline.planning.subject import network_on_raster

        device = torch.device(job.task.device)
        with fixed_numerics(recipe.precision, resources.cores(), device):
            return tuple(plausibility.plausibility_warnings(network_on_raster(job), decoding, names))

    key = [
        WARNINGS_VERSION,
        *_facts(job),
        None if decoding is None else asdict(decoding),
        sorted(names.items()),
    ]
    try:
        return (
            *_pixel_size_warnings(job),
            *_recorded_sentences(key, lambda: run_on_device_thread(tried)),
        )
    except ReadError:
        return ()
    except InferenceError as error:  # of the transform, on a window of the sample: it fails the blocks that lie there
        return (
            f"{error}. Blocks that hold such pixels will fail: clip or shift them in the transform, or set "
            f"source.nodata where they are no data",
        )


def _recorded_sentences(key: list[Any], tried: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    """What was said under the same key before, else what is said now; that memory is short is not kept."""
    path = record_path(cache_folder() / "warnings", key)
    with suppress(OSError, ValueError):
        return tuple(json.loads(path.read_text()))
    require_measuring()
    sentences = tried()
    if not any(isinstance(text, MomentaryWarning) for text in sentences):
        write_record(path, sentences)
    return sentences


def _facts(job: Job) -> tuple[Any, ...]:
    """All that decides what a network makes of a sample of its raster."""
    recipe, locality = job.task.recipe, job.locality
    network = [job.network.identity(), recipe.fold, recipe.precision, job.network.accepts.maximum, torch_release()]
    raster = [job.source.identity(), recipe.normalisation.as_dict(), job.task.area and job.task.area.digest]
    sizes = [job.plan.tiles.multiple, job.plan.tiles.size, locality.minimum, str(locality.margin)]
    return network, raster, sizes, job.task.device
