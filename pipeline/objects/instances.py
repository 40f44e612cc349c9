"""Ids of objects in place of the classes of their pixels, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.areas import pixel_areas
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.objects.choice import ObjectChoice
from pipeline.objects.columns import Measures
from pipeline.objects.components import Components, find_components
from pipeline.objects.labels import label_block
from pipeline.objects.mask import MaskBlocks
from pipeline.objects.scratch import LongArray
from pipeline.objects.sweep import BlockHook
from pipeline.store.ledger import BlockPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """The ids of the objects of a mask; those that are not taken have none."""

    components: Components
    ids: LongArray
    """By the index of a component; 0 for one that is left out."""

    def read(self, position: BlockPosition) -> tuple[Window, npt.NDArray[Any]]:
        """A block's window, and its ids: (rows, cols) of ``components.id_dtype``, 0 at nodata and what is left out."""
        blocks = self.components.blocks
        window = blocks.window(position)
        labels, _ = label_block(blocks.mask.read(window), blocks.mask.nodata, self.components.connectivity)
        ids = self.ids.take(self.components.indices(position)[1:])
        return window, np.concatenate([[0], ids]).astype(self.components.id_dtype)[labels]


def find_instances(
    blocks: MaskBlocks, grid: Grid, scratch: Path, choice: ObjectChoice, after_block: BlockHook | None = None
) -> Instances:
    """Find the objects of a whole mask, by one pass over its blocks.

    The ids are the same for whatever blocks the mask is read by.

    Parameters
    ----------
    blocks
        The mask and its blocks.
    grid
        Of the mask, for areas.
    scratch
        An empty folder, or one to be made: about 100 bytes per component.
    choice
        Which objects are taken, resolved.
    after_block
        Called after each block.
    """
    has_area = choice.min_area is not None and choice.min_area.unit != "px"
    measures = Measures(area_of=pixel_areas(grid).of if has_area else None)
    components = find_components(
        blocks, scratch, connectivity=choice.connectivity, measures=measures, after_block=after_block
    )
    ids = LongArray(scratch / "ids.i64")
    for rows in components.batches():
        ids.append(np.where(choice.picks(rows, components), rows["first"] + 1, 0))
    return Instances(components=components, ids=ids)
