"""Objects and their 4-connected parts, of which each has one outer ring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s, Measures
from pipeline.objects.components import Components, find_components
from pipeline.objects.labels import Connectivity, label_block
from pipeline.objects.mask import MaskBlocks
from pipeline.objects.sweep import BlockHook

NO_OBJECT = -1
"""Stands for the object of a part that is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectParts:
    """The objects of a mask, and the parts that they are made of."""

    objects: Components
    parts: Components
    """4-connected; the same where the objects are so."""
    owners: Int64s
    """(parts,) index of the object of each part."""


def find_objects(
    blocks: MaskBlocks,
    scratch: Path,
    *,
    connectivity: Connectivity = 4,
    measures: Measures | None = None,
    after_block: BlockHook | None = None,
) -> ObjectParts:
    """Find the objects of a mask, and their parts; one pass at connectivity 4, three at 8.

    Parameters
    ----------
    blocks, scratch, connectivity, measures, after_block
        As `find_components` takes them.
    """
    objects = find_components(
        blocks, scratch / "objects", connectivity=connectivity, measures=measures, after_block=after_block
    )
    if connectivity == 4:
        return ObjectParts(objects=objects, parts=objects, owners=np.arange(len(objects)))
    parts = find_components(blocks, scratch / "parts", after_block=after_block)
    return ObjectParts(objects=objects, parts=parts, owners=_owners(objects, parts, after_block))


def _owners(objects: Components, parts: Components, after_block: BlockHook | None) -> Int64s:
    owners = np.empty(len(parts), dtype=np.int64)
    for row, col in objects.blocks.positions.tolist():
        codes = objects.blocks.mask.read(objects.blocks.window((row, col)))
        labels = [label_block(codes, objects.blocks.mask.nodata, each)[0].ravel() for each in (4, 8)]
        begins = np.flatnonzero(np.diff(labels[0], prepend=0) * (labels[0] > 0))
        first, second = (label[begins] for label in labels)
        owners[parts.indices((row, col))[first]] = objects.indices((row, col))[second]
        if after_block is not None:
            after_block()
    return owners


def chosen_owners(found: ObjectParts, chosen: npt.NDArray[np.bool_]) -> Int64s:
    """The object of each part, `NO_OBJECT` where it is not among the chosen ones."""
    return np.where(chosen[found.owners], found.owners, NO_OBJECT)
