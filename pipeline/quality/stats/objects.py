"""Objects by zone and class: each counts where its first pixel is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.geometry.window import Window
from pipeline.objects.columns import Int64s
from pipeline.objects.components import find_components
from pipeline.objects.mask import MaskBlocks
from pipeline.store.spec import ClassRow

if TYPE_CHECKING:
    from pipeline.quality.stats.zones import Zones

NUDGE = 1e-6
"""px by which centres of pixels are moved, so that one on the edge between two zones lies in one of them."""


def count_objects(blocks: MaskBlocks, scratch: Path, classes: Sequence[ClassRow], zones: Zones | None) -> Int64s:
    """Count connected components, 4-connected.

    Parameters
    ----------
    blocks
        Of the whole mask.
    scratch
        A folder that is made, and removed after.
    classes
        Of the mask.
    zones
        An object counts in those that hold the centre of its first pixel; None for the whole scene.

    Returns
    -------
    NDArray
        (zones, classes + 1) int64; the last column, of nodata, is 0.
    """
    counts = np.zeros((len(zones.names) if zones else 1, len(classes) + 1), dtype=np.int64)
    codes = np.array([row.code for row in classes])
    components = find_components(blocks, scratch)
    order = np.argsort(codes)
    for batch in components.batches():
        columns = order[np.searchsorted(codes, batch["code"], sorter=order)]
        if zones is None:
            counts[0] += np.bincount(columns, minlength=counts.shape[1])
            continue
        places, numbers = _zones_of(batch["first"], blocks.mask.width, zones)
        np.add.at(counts, (numbers, columns[places]), 1)
    components.remove()
    return counts


def _zones_of(first: Int64s, width: int, zones: Zones) -> tuple[Int64s, Int64s]:
    """Which pixels lie in which zones: places among the pixels, and numbers of zones."""
    import shapely

    rows, cols = np.divmod(first, width)
    window = Window(
        row=int(rows.min()),
        col=int(cols.min()),
        height=int(np.ptp(rows)) + 1,
        width=int(np.ptp(cols)) + 1,
    )
    near = zones.near(window)
    centres = shapely.points(cols + 0.5 + NUDGE, rows + 0.5 + NUDGE)
    places, shapes = near.tree.query(centres, predicate="intersects")
    return places, near.numbers[shapes]
