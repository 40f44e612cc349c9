"""Ids of objects as the label image ``labels/instances`` of a store.

It is written block by block, each with a commit record, under the lease of the store. Readers are told of it once all
of it is committed; an export that was killed goes on where it ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np

from pipeline.errors import PlanError
from pipeline.exports.objects import object_choice
from pipeline.exports.task import ExportTask
from pipeline.geometry.areas import pixel_areas
from pipeline.geometry.span import cut
from pipeline.geometry.window import Window
from pipeline.locations import Place
from pipeline.objects.choice import ObjectChoice
from pipeline.objects.instances import Instances, find_instances
from pipeline.objects.mask import WORK_SIDE, LayerMask, store_blocks, work_side
from pipeline.objects.scratch_folder import scratch_folder
from pipeline.runtime.resources import human
from pipeline.store import instances as label
from pipeline.store import overviews
from pipeline.store.cleaned import block_window, missing_blocks
from pipeline.store.layers import DERIVED_LAYERS
from pipeline.store.lease.lease import assert_held
from pipeline.store.ledger import Ledger, changed_chunks, commit_block, drop_records_of_missing_chunks
from pipeline.store.lifecycle import open_layer
from pipeline.store.reader import open_store
from pipeline.store.spec import StoreSpec

_REVISION = 1
"""Of what the ids mean; part of the fingerprint."""
_PROCESS_BYTES = 350 * 2**20
"""What the process takes beside the ids that it writes."""
_COPIES = 4
"""Times that the ids of one file, or of one block of an overview, stand in memory while they are written."""


def write_label_image(task: ExportTask, *, keep: bool = False, anew: bool = False) -> None:
    """Write what is missing of the label image, and name it to readers.

    Stopped anywhere and begun again, it gives the same bytes.

    Parameters
    ----------
    task
        What is written, of a store that is held.
    keep
        Leave a label image of the same objects unread; else every chunk of it is read, and damaged ones are made anew.
    anew
        Make all of it anew.

    Raises
    ------
    InputError
        A class or a size does not suit the mask.
    PlanError
        Memory does not hold what is written at once.
    """
    store, spec = task.store, task.spec
    choice = object_choice(task).resolved(spec.classes, pixel_areas(spec.grid).unit)
    document = _document(task, choice)
    _check_memory(spec, task.request.memory)
    is_current = _is_begun(store, spec, document["fingerprint"])
    if is_current and keep and not anew and label.published_instances(store) == document:
        return
    if anew or not is_current:
        label.begin_instances(store, spec, document["fingerprint"])
    else:
        _drop_damaged(store, spec)
    _make_blocks(task, choice)
    side = int(task.meta["tiles"]["block"])
    overviews.build_overviews(store, spec.instances, block=side if "asked" in task.meta else None)
    label.publish_instances(store, spec, document)


def _document(task: ExportTask, choice: ObjectChoice) -> dict[str, Any]:
    """What the label image says of its objects."""
    size = choice.min_area
    objects = {
        "layer": task.layer,
        "connectivity": choice.connectivity,
        "codes": list(choice.codes),
        "min_area": None if size is None else f"{size.value!r} {size.unit}",
    }
    facts = {"revision": _REVISION, **objects}
    if task.layer in DERIVED_LAYERS:
        facts["made_by"] = task.meta[task.layer]["fingerprint"]
    digest = blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()
    return {"fingerprint": digest, **objects}


def _is_begun(store: Place, spec: StoreSpec, fingerprint: str) -> bool:
    """Whether the records that are there are of these objects, and the arrays are as they should be."""
    return label.recorded_instances(store) == fingerprint and label.has_intact_arrays(store, spec)


def _check_memory(spec: StoreSpec, memory: int) -> None:
    side = max(spec.storage_unit_px, spec.overview_block)
    needed = _PROCESS_BYTES + _COPIES * side**2 * np.dtype(spec.instances.layer("instances").dtype).itemsize
    if needed > memory:
        raise PlanError(
            f"Ids of objects take {human(needed)} while they are written, since a file of this store holds "
            f"{spec.storage_unit_px} × {spec.storage_unit_px} px, and --memory allows {human(memory)}. Nothing was "
            f"written. Give --memory {-(-needed // 2**20)}MiB, or make the store with a smaller output.shard."
        )


def _drop_damaged(store: Place, spec: StoreSpec) -> None:
    """Drop records whose chunks are not what was committed; every chunk is read."""
    for level in range(spec.levels):
        ledger = Ledger(store, level, "instances")
        drop_records_of_missing_chunks(store, level, layer="instances")
        for position in list(ledger.listed()):
            record = ledger.record(position)
            if record is not None and changed_chunks(store, record):
                ledger.drop(position)


def _make_blocks(task: ExportTask, choice: ObjectChoice) -> None:
    store, spec = task.store, task.spec
    if next(missing_blocks(store, "instances"), None) is None:
        return
    level, check = open_store(store), partial(assert_held, store)
    mask = LayerMask(level=level, layer=task.layer)
    with scratch_folder(store, "instances") as scratch:
        blocks = store_blocks(level, mask, _work_side(spec, level.block))
        instances = find_instances(blocks, spec.grid, scratch, choice, check)
        for position in list(missing_blocks(store, "instances")):
            window = block_window(spec, level.block, position)
            _write_block(store, spec, instances, window)
            check()
            commit_block(store, 0, position, window, ("instances",), {})


def _work_side(spec: StoreSpec, block: int) -> int:
    """Side of blocks of work, px: whole files of the store, or a whole number of them in a file that is larger."""
    unit = spec.storage_unit_px
    return work_side(block, unit) if unit <= WORK_SIDE else work_side(unit, spec.chunk)


def _write_block(store: Place, spec: StoreSpec, instances: Instances, window: Window) -> None:
    """Write a block, whole files of the store at a time."""
    array, side = open_layer(store, 0, "instances"), instances.components.blocks.side
    square = max(side, spec.storage_unit_px)
    for part in _squares(window, square):
        ids = np.zeros((part.height, part.width), dtype=array.dtype)
        for work in _squares(part, side):
            where, values = instances.read((work.row // side, work.col // side))
            ids[where.index_in(part)] = values
        array[part.slices] = ids


def _squares(window: Window, side: int) -> Iterator[Window]:
    """A window cut into squares of so many px, row by row; those at its end may be smaller."""
    for rows in cut(window.height, side):
        for cols in cut(window.width, side):
            yield Window(row=window.row + rows.start, col=window.col + cols.start, height=rows.size, width=cols.size)
