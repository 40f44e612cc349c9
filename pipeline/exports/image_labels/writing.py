"""Writing a mask as a label image, level by level, each chunk or shard once; readers are told of it at the end.

One that is cut off is named to no reader, and is written from its start by the next export: the mask may have changed
meanwhile. Two exports of one mask give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import PlanError
from pipeline.exports.image_labels.sampling import LevelSampling, PixelIndices, level_sampling
from pipeline.exports.image_labels.target import LabelTarget, label_name, label_target
from pipeline.exports.layer_part import LayerPart
from pipeline.exports.task import ExportTask
from pipeline.geometry.span import Span, cut
from pipeline.geometry.window import Window
from pipeline.runtime.resources import human
from pipeline.store import image_labels as label
from pipeline.store.lease.lease import acquire_image, assert_held
from pipeline.store.lifecycle import open_layer

_PROCESS_BYTES = 150 * 2**20
"""What the process takes beside the pixels that it copies: 95 MiB measured."""
_COPIES = 8
"""Times that the pixels of one file stand in memory: up to twice as many to each side are read for it."""
_SLICED = 2
"""Pixels of the mask to each of the image up to which all are read; beyond, only those that are taken."""


def write_image_label(task: ExportTask, *, keep: bool = False) -> None:
    """Write a mask into its image.

    Parameters
    ----------
    task
        What is written.
    keep
        Leave a label image of the same mask that readers are told of.

    Raises
    ------
    ConfigError
        There is no image of this mask.
    PlanError
        Memory does not hold what is written at once.
    Unfinished
        Another export writes into the image.
    """
    target, name = label_target(task), label_name(task)
    document = _document(task, target)
    _check_memory(task)
    image = target.image
    if keep and label.is_named(image.place, name) and label.written_by(image.place, name) == document:
        return
    with acquire_image(image.place, f"export --to {task.request.to}", task.say):
        label.begin_label(image, name, document)
        for number in range(len(image.levels)):
            _write_level(task, target, number)
        changes = [_changes(target, number) for number in range(len(image.levels))]
        attributes = label.ome_attributes(image, name, changes, task.spec.classes)
        assert_held(image.place)
        label.publish_label(image, name, attributes, document)


def _document(task: ExportTask, target: LabelTarget) -> dict[str, Any]:
    """What the label image says of its store, and of the pixels that it lies on."""
    levels = [[level.shape, list(level.changes)] for level in target.image.levels]
    facts = [target.step, target.corner, target.flipped, target.places, levels]
    digest = blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()
    return {"export": str(task.mark), "image": digest}


def _check_memory(task: ExportTask) -> None:
    spec, memory = task.spec, task.request.memory
    needed = _PROCESS_BYTES + _COPIES * spec.storage_unit_px**2 * np.dtype(spec.dtype).itemsize
    if needed > memory:
        raise PlanError(
            f"A label image takes {human(needed)} while it is written, since a file of it holds "
            f"{spec.storage_unit_px} × {spec.storage_unit_px} px, and --memory allows {human(memory)}. Nothing was "
            f"written. Give --memory {-(-needed // 2**20)}MiB, or make the store with a smaller output.shard."
        )


def _changes(target: LabelTarget, number: int) -> list[dict[str, Any]]:
    """``coordinateTransformations`` of a level: those of the image, at the plane that was read."""
    changes = label.without_channels(target.image, target.image.levels[number].changes)
    scale = next(change["scale"] for change in changes if "scale" in change)
    distance = [place * size for place, size in zip(target.places, scale, strict=False)] + [0.0, 0.0]
    if not any(distance):
        return changes
    stated = next((change["translation"] for change in changes if "translation" in change), [0.0] * len(scale))
    moved = [start + further for start, further in zip(stated, distance, strict=True)]
    return [{"type": "scale", "scale": scale}, {"type": "translation", "translation": moved}]


def _write_level(task: ExportTask, target: LabelTarget, number: int) -> None:
    image, spec, level = target.image, task.spec, target.image.levels[number]
    part = _whole(task)
    shard = spec.shard if image.zarr_format == 3 else None
    array = label.create_label_level(
        image,
        label_name(task),
        number,
        shape=(*(1 for _ in target.places), *level.size),
        side=(spec.chunk, shard),
        dtype=spec.dtype,
        nodata=spec.nodata,
    )
    sampling, plane = level_sampling(target, level, part), (slice(0, 1),) * len(target.places)
    for rows in cut(level.size[0], shard or spec.chunk):
        assert_held(image.place)
        for cols in _written_columns(part, sampling, rows, level.size[1], shard or spec.chunk):
            tile = _tile(part, sampling, rows, cols)
            array[(*plane, *Window.of(rows, cols).slices)] = tile.reshape(*(1 for _ in plane), *tile.shape)


def _whole(task: ExportTask) -> LayerPart:
    grid, part = task.spec.grid, task.part
    whole = Window(row=0, col=0, height=grid.height, width=grid.width)
    return LayerPart(
        store=part.store, spec=part.spec, name=part.name, window=whole, block=part.block, sparse=part.sparse
    )


def _written_columns(part: LayerPart, sampling: LevelSampling, rows: Span, width: int, side: int) -> Iterator[Span]:
    """Columns of files that lie on something written."""
    taken = sampling.rows.positions(rows)
    taken = taken[taken >= 0]
    if not len(taken):
        return
    lines = Span(int(taken.min()), int(taken.max()) + 1)
    committed = list(part.committed(sampling.mask_level, lines))
    for cols in cut(width, side):
        below = sampling.cols.positions(cols)
        below = below[below >= 0]
        if len(below) and any(span.start <= below.max() and span.stop > below.min() for span in committed):
            yield cols


def _tile(part: LayerPart, sampling: LevelSampling, rows: Span, cols: Span) -> npt.NDArray[Any]:
    """Codes of a part of a level of the image; nodata where the mask has no pixel."""
    down, across = sampling.rows.positions(rows), sampling.cols.positions(cols)
    inside = np.ix_(down >= 0, across >= 0)
    tile = np.full((rows.size, cols.size), part.spec.nodata, dtype=part.spec.dtype)
    if (down >= 0).any() and (across >= 0).any():
        tile[inside] = _read(part, sampling.mask_level, down[down >= 0], across[across >= 0])
    return tile


def _read(part: LayerPart, level: int, rows: PixelIndices, cols: PixelIndices) -> npt.NDArray[Any]:
    spans = [Span(int(places.min()), int(places.max()) + 1) for places in (rows, cols)]
    if any(span.size > _SLICED * len(places) + 1 for span, places in zip(spans, (rows, cols), strict=True)):
        # far apart, where a store has fewer levels than its image
        return np.asarray(open_layer(part.store, level, part.name).oindex[rows, cols])
    pixels = part.read(level, Window.of(*spans))
    return pixels[np.ix_(rows - spans[0].start, cols - spans[1].start)]
