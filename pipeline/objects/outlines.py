"""Corners of objects in scratch files: found by one pass over the mask, then handed out object by object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s
from pipeline.objects.corners import CORNER, NODE, SHARED_CORNER, corners, turning
from pipeline.objects.lattice import lattice_blocks
from pipeline.objects.parts import NO_OBJECT, ObjectParts
from pipeline.objects.rings import Rings, SortedCorners, trace
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
    rings: Int64s
    """(objects,) rings of each object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineBatch:
    """Whole objects with their corners."""

    objects: Int64s
    """Indices, by last row, then id."""
    file: LongArray
    """Records of `CORNER` or `SHARED_CORNER`."""
    owners: Int64s
    """(parts,) the object of each part, of all parts."""
    removed: npt.NDArray[Any] | None = None
    """Records of points that go, each with the part from whose rings it goes; None where none does."""

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
    stays: npt.NDArray[np.bool_] | None = None
    """Which vertices stay when rings are simplified; None for all."""


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
    counts, turns = np.zeros((2, len(found.objects)), dtype=np.int64)
    chosen = owners != NO_OBJECT
    for block in lattice_blocks(found.parts, after_block):
        batch = corners(block.padded, block.row, block.col, chosen, shared)
        if shared:
            _fix_extent(batch, found)
        records.append(batch)
        np.add.at(counts, owners[batch["part"]], 1)
        np.add.at(turns, owners[batch["part"]], turning(batch["turn"]))
    parts = np.bincount(owners[chosen], minlength=len(counts))
    # outer rings and holes turn by 4 and −4 in all, and each part has one outer ring
    return Outlines(corners=records, owners=owners, counts=counts, rings=2 * parts - turns // 4)


def _fix_extent(batch: npt.NDArray[Any], found: ObjectParts) -> None:
    """Take the corners of the mask for points where arcs end, so that its extent stays."""
    mask = found.parts.blocks.mask
    at_corner = np.isin(batch["row"], (0, mask.height)) & np.isin(batch["col"], (0, mask.width))
    batch["turn"][at_corner] |= NODE


def outline_batches(
    outlines: Outlines, last_rows: Int64s, scratch: Path, removed: LongArray | None = None
) -> Iterator[OutlineBatch]:
    """Hand out whole objects by their last row, then id, so many corners at once.

    Parameters
    ----------
    outlines
        Their corners.
    last_rows
        (objects,) the last row of each object.
    scratch
        A folder that is there; as much as the corners take is written into it, and removed as batches are taken.
    removed
        Points that go, with their parts, to be handed out with them.
    """
    objects = np.flatnonzero(outlines.counts)
    objects = objects[np.argsort(last_rows[objects], kind="stable")]
    cuts = _cuts(outlines.counts[objects])
    batch_of = np.full(len(outlines.counts), -1, dtype=np.int64)
    batch_of[objects] = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    folder = scratch / "batches"
    folder.mkdir(exist_ok=True)
    files = _hand_out(outlines.corners, batch_of[outlines.owners], folder, "corners")
    removed_files = {} if removed is None else _hand_out(removed, batch_of[outlines.owners], folder, "removed")
    for number, (start, stop) in enumerate(pairwise(cuts.tolist())):
        removed_file = removed_files.get(number)
        yield OutlineBatch(
            objects=objects[start:stop],
            file=files[number],
            owners=outlines.owners,
            removed=None if removed_file is None else removed_file.read(),
        )
        for file in filter(None, (files[number], removed_file)):
            file.path.unlink()


def _cuts(counts: Int64s) -> Int64s:
    """Where batches begin, and the end."""
    if not len(counts):
        return np.zeros(1, dtype=np.int64)
    before = np.cumsum(counts) - counts
    keys = np.stack([before // BATCH_CORNERS, np.arange(len(counts)) // BATCH_OBJECTS])
    begins = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
    return np.concatenate([[0], begins, [len(counts)]])


def _hand_out(records: LongArray, batch_of_part: Int64s, folder: Path, name: str) -> dict[int, LongArray]:
    """Write records into a file for each batch; the files, by the number of the batch."""
    files: dict[int, LongArray] = {}
    for _, piece in records.pieces():
        batches = batch_of_part[piece["part"]]
        order = np.argsort(batches, kind="stable")
        numbers, starts = np.unique(batches[order], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            files.setdefault(number, LongArray(folder / f"{name}{number:07d}", dtype=records.dtype)).append(piece[rows])
    return files


_Points = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]


def _contains(some: _Points, points: _Points) -> npt.NDArray[np.bool_]:
    """Which points, by part, row and col, are among some others."""
    sizes = [
        int(max(first.max(initial=0), second.max(initial=0))) + 1 for first, second in zip(some, points, strict=True)
    ]
    if np.log2(np.array(sizes, dtype=np.float64)).sum() < 63:
        first, second = ((part * np.int64(sizes[1]) + row) * sizes[2] + col for part, row, col in (some, points))
        return np.isin(second, first)
    names = np.dtype([("part", "i8"), ("row", "i8"), ("col", "i8")])
    first, second = (np.rec.fromarrays(columns, dtype=names) for columns in (some, points))
    return np.isin(second, first)


def object_rings(batch: OutlineBatch) -> ObjectRings:
    """Trace the rings of a batch."""
    corners = batch.file.read()
    parts = np.unique(corners["part"])
    owners = np.searchsorted(batch.objects[batch.order], batch.owners[parts])
    places = batch.order[owners]
    ranks = np.argsort(places, kind="stable")
    numbers = np.empty(len(parts), dtype=np.int32)
    numbers[ranks] = np.arange(len(parts), dtype=np.int32)
    ordered = SortedCorners.of(numbers[np.searchsorted(parts, corners["part"])], corners)
    del corners  # a large object has too many of them to hold them twice
    rings = trace(ordered)
    stays = None
    if batch.removed is not None:
        removed = numbers[np.searchsorted(parts, batch.removed["part"])], batch.removed["row"], batch.removed["col"]
        stays = ~_contains(removed, (np.repeat(rings.parts, rings.sizes), rings.rows, rings.cols))
    return ObjectRings(
        objects=batch.objects,
        rings=rings,
        polygon_rings=np.bincount(rings.parts, minlength=len(parts)),
        object_polygons=np.bincount(places, minlength=len(batch.objects)),
        stays=stays,
    )
