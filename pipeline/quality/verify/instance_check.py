"""Whether the ids of a label image are those of the objects of its mask."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.geometry.areas import pixel_areas
from pipeline.geometry.window import Window
from pipeline.objects.choice import ObjectChoice
from pipeline.objects.instances import Instances, find_instances
from pipeline.objects.mask import LayerMask, store_blocks
from pipeline.objects.sizes import ObjectSize
from pipeline.planning.job import Job
from pipeline.quality.verify.faults import Faults
from pipeline.quality.verify.stored_values import overview_differences
from pipeline.store import overviews
from pipeline.store.instances import published_instances
from pipeline.store.lifecycle import open_layer
from pipeline.store.reader import open_store


def check_instances(job: Job, faults: Faults) -> None:
    """Find the objects of the mask again, and compare all ids, then those of overviews with the level below.

    Parameters
    ----------
    job
        Of a store whose chunks are as they were committed.
    faults
        Given the blocks that differ; nothing where there is no label image.
    """
    document = published_instances(job.path)
    if document is None:
        return
    with tempfile.TemporaryDirectory(prefix="wholecloth-instances-") as scratch:
        instances = _instances(job, document, Path(scratch))
        side = job.plan.tiles.block
        for window in _differing(job, instances):
            faults.add(0, (window.row // side, window.col // side), "ids are not those of the objects", "instances")
    for level in overviews.levels(job.path, job.spec.instances, side if job.task.area else None):
        for index in level.blocks():
            for reason in overview_differences(job.path, level.task, level.task.window(index)):
                faults.add(level.task.level, (index.row, index.col), reason, "instances")


def _instances(job: Job, document: dict[str, Any], scratch: Path) -> Instances:
    choice = ObjectChoice(
        connectivity=document["connectivity"],
        codes=tuple(document["codes"]),
        min_area=None if document["min_area"] is None else ObjectSize.parse(document["min_area"]),
    )
    level = open_store(job.path)
    blocks = store_blocks(level, LayerMask(level=level, layer=document["layer"]))
    choice = choice.resolved(job.spec.classes, pixel_areas(job.spec.grid).unit)
    return find_instances(blocks, job.spec.grid, scratch, choice)


def _differing(job: Job, instances: Instances) -> Iterator[Window]:
    array = open_layer(job.path, 0, "instances")
    for row, col in instances.components.blocks.positions.tolist():
        window, ids = instances.read((row, col))
        if not np.array_equal(np.asarray(array[window.slices]), ids):
            yield window
