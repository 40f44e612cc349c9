"""Corners of objects in scratch files: found by one pass over the mask, then handed out object by object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s
from pipeline.objects.corners import CORNER, SHARED_CORNER, corners
from pipeline.objects.lattice import lattice_blocks
from pipeline.objects.parts import NO_OBJECT, ObjectParts
from pipeline.objects.rings import Rings, trace
from pipeline.objects.scratch import LongArray
from pipeline.objects.sweep import BlockHook

BATCH_CORNERS = 2**20
"""Corners that are traced at once, unless an object alone has more."""
BATCH_OBJECTS = 2**16
"""Objects that are traced at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlines:
    """Corners of the parts of chosen objects, in the order in which blocks were visited."""

    corners: LongArray
    owners: Int64s
    """(parts,) the object of each part, or `NO_OBJECT`."""
    counts: Int64s
    """(objects,) corners of each object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineBatch:
    """Whole objects with their corners."""

    objects: Int64s
    """Indices, by last row, then id."""
    corners: npt.NDArray[Any]
    """Records of `CORNER` or `SHARED_CORNER`."""
    owners: Int64s
    """(parts,) the object of each part, of all parts."""

    @property
    def order(self) -> Int64s:
        """The order of ``objects`` by index."""
        return np.argsort(self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRings:
    """The rings of whole objects, object by object, and within an object part by part."""

    objects: Int64s
    rings: Rings
    polygon_rings: Int64s
    """Rings of each polygon; the first of them is the outer one."""
    object_polygons: Int64s
    """Polygons of each object."""


def find_outlines(
    found: ObjectParts, owners: Int64s, scratch: Path, *, shared: bool = False, after_block: BlockHook | None = None
) -> Outlines:
    """Find all corners of chosen objects.

    Parameters
    ----------
    found
        Objects and parts.
    owners
        (parts,) the object of each part, or `NO_OBJECT`.
    scratch
        A folder that is there; it takes 17 bytes per corner, 25 with ``shared``.
    shared
        Whether corners say what lies on the other side: see `pipeline.objects.corners.corners`.
    after_block
        Called after each block.
    """
    records = LongArray(scratch / "corners", dtype=SHARED_CORNER if shared else CORNER)
    counts = np.zeros(len(found.objects), dtype=np.int64)
    chosen = owners != NO_OBJECT
    for block in lattice_blocks(found.parts, after_block):
        batch = corners(block.padded, block.row, block.col, chosen, shared)
        records.append(batch)
        np.add.at(counts, owners[batch["part"]], 1)
    return Outlines(corners=records, owners=owners, counts=counts)


def outline_batches(outlines: Outlines, last_rows: Int64s, scratch: Path) -> Iterator[OutlineBatch]:
    """Hand out whole objects by their last row, then id, so many corners at once.

    Parameters
    ----------
    outlines
        Their corners.
    last_rows
        (objects,) the last row of each object.
    scratch
        A folder that is there; as much as the corners take is written into it, and removed as batches are taken.
    """
    objects = np.flatnonzero(outlines.counts)
    objects = objects[np.argsort(last_rows[objects], kind="stable")]
    cuts = _cuts(outlines.counts[objects])
    batch_of = np.full(len(outlines.counts), -1, dtype=np.int64)
    batch_of[objects] = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    folder = scratch / "batches"
    folder.mkdir(exist_ok=True)
    files = [LongArray(folder / f"{number:07d}", dtype=outlines.corners.dtype) for number in range(len(cuts) - 1)]
    _hand_out(outlines, batch_of, files)
    for file, start, stop in zip(files, cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        yield OutlineBatch(objects=objects[start:stop], corners=file.read(), owners=outlines.owners)
        file.path.unlink()


def _cuts(counts: Int64s) -> Int64s:
    """Where batches begin, and the end."""
    if not len(counts):
        return np.zeros(1, dtype=np.int64)
    before = np.cumsum(counts) - counts
    keys = np.stack([before // BATCH_CORNERS, np.arange(len(counts)) // BATCH_OBJECTS])
    begins = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
    return np.concatenate([[0], begins, [len(counts)]])


def _hand_out(outlines: Outlines, batch_of: Int64s, files: list[LongArray]) -> None:
    for _, records in outlines.corners.pieces():
        batches = batch_of[outlines.owners[records["part"]]]
        order = np.argsort(batches, kind="stable")
        numbers, starts = np.unique(batches[order], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            files[number].append(records[rows])


def object_rings(batch: OutlineBatch) -> ObjectRings:
    """Trace the rings of a batch."""
    parts = np.unique(batch.corners["part"])
    owners = np.searchsorted(batch.objects[batch.order], batch.owners[parts])
    places = batch.order[owners]
    ranks = np.argsort(places, kind="stable")
    numbers = np.empty(len(parts), dtype=np.int32)
    numbers[ranks] = np.arange(len(parts), dtype=np.int32)
    rings = trace(numbers[np.searchsorted(parts, batch.corners["part"])], batch.corners)
    return ObjectRings(
        objects=batch.objects,
        rings=rings,
        polygon_rings=np.bincount(rings.parts, minlength=len(parts)),
        object_polygons=np.bincount(places, minlength=len(batch.objects)),
    )
