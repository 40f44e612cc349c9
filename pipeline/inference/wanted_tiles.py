"""Tiles of a block, as far as anything of them is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.errors import Unfinished
from pipeline.geometry.blocks import BlockGrid, Tile
from pipeline.geometry.window import Window
from pipeline.inference.recipe import Block
from pipeline.runtime.cancellation import CANCELLED


def wanted_tiles(
    block: Block, layout: BlockGrid, inside: Window, part: Window, output_mask: npt.NDArray[np.bool_]
) -> Iterator[Tile]:
    """Tiles of the rectangle that holds all wanted pixels, as far as they keep any of a part.

    The run may be stopped before each, which raises Unfinished.
    """
    for tile in layout.tiles(block.index, inside, block.part):
        if CANCELLED.is_set():
            raise Unfinished("The run was asked to stop.")
        keep = tile.keep.intersect(part)
        if keep.pixels and output_mask[keep.index_in(block.window)].any():
            yield replace(tile, keep=keep)
