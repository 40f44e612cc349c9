"""Steps over connected components: each component gets a class as a whole, by its size and by what lies around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pipeline.geometry.areas import pixel_areas
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.objects.columns import Columns, Int64s, Measures
from pipeline.objects.components import Components, find_components
from pipeline.objects.labels import label_block
from pipeline.objects.mask import Codes, MaskBlocks
from pipeline.objects.neighbours import NO_CLASS, surroundings
from pipeline.objects.scratch import LongArray
from pipeline.postprocess.steps import SizeStep

AREA_TOLERANCE = 1e-9
"""Share of a size by which an area may fall short of it and still count as equal: areas are sums of rounded numbers."""
SURROUNDED_AT_ONCE = 2**20
"""Components whose borders stand in memory at once: some 300 MiB."""
CODES = "codes.u16"
"""File of the new code of each component."""


def component_windows(
    step: SizeStep, blocks: MaskBlocks, grid: Grid, scratch: Path, after_block: Callable[[], None] | None = None
) -> Iterator[tuple[Window, Codes]]:
    """What a step makes of a mask, block by block.

    Parameters
    ----------
    step
        What is done.
    blocks
        The mask and its blocks.
    grid
        Of the mask.
    scratch
        An empty folder, or one to be made; it is removed in the end.
    after_block
        Called after each block that is labelled.

    Yields
    ------
    Window, ndarray
        Each block's window, and its (rows, cols) codes.
    """
    measures = Measures(
        area_of=None if step.unit == "px" else pixel_areas(grid).of, neighbours=step.operation != "remove_small"
    )
    components = find_components(blocks, scratch, measures=measures, after_block=after_block)
    codes = LongArray(scratch / CODES, dtype="uint16")
    for batch in new_codes(step, components):
        codes.append(batch)
    for row, cols in blocks.rows():
        for col in cols:
            window = blocks.window((row, col))
            labels, _ = label_block(blocks.mask.read(window), blocks.mask.nodata, 4)
            of_labels = codes.take(components.indices((row, col))[1:])
            yield window, np.concatenate([[blocks.mask.nodata], of_labels])[labels]
            if after_block is not None:
                after_block()
    components.remove()


def new_codes(step: SizeStep, components: Components) -> Iterator[Int64s]:
    """The class that each component gets, in the order of their ids."""
    if step.operation == "remove_small":
        for rows in components.batches():
            yield np.where(_is_small(step, components, rows), step.background, rows["code"])
        return
    for around in surroundings(components, SURROUNDED_AT_ONCE):
        rows = components.table.read(around.start, around.start + len(around.longest_code))
        candidates = around.longest_code if step.operation == "sieve" else around.enclosing_code
        changes = _is_small(step, components, rows) & (candidates != NO_CLASS)
        yield np.where(changes, candidates, rows["code"])


def _is_small(step: SizeStep, components: Components, rows: Columns) -> np.ndarray:
    if step.unit == "px":
        return np.asarray(rows["pixels"] < step.size)
    return np.asarray(components.areas(rows) < step.size * (1 - AREA_TOLERANCE))
