"""Outlines of the objects in a part of the full resolution, traced as `export` traces those of the whole mask."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import PlanError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.objects.features import FeatureBatch, FeatureOptions, find_features
from pipeline.objects.mask import WORK_SIDE, Codes, mask_blocks
from pipeline.store.foreign_arrays import open_array
from pipeline.viewer.commits import Commits
from pipeline.viewer.scene import StoreScene

MAX_TRACED_PX = 2048
"""Longest side of the part whose objects are traced, px."""
MAX_OBJECTS = 20_000
MAX_VERTICES = 200_000
"""Of all outlines together: what a browser draws without a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A part of a mask in memory, as a mask."""

    codes: Codes
    nodata: int

    @property
    def height(self) -> int:
        """Rows, px."""
        return len(self.codes)

    @property
    def width(self) -> int:
        """Columns, px."""
        return len(self.codes[0])

    def read(self, window: Window, /) -> Codes:
        """(rows, cols) codes of a window."""
        return self.codes[window.slices]


def outlines(scene: StoreScene, commits: Commits, window: Window) -> dict[str, Any]:
    """Outlines of objects in a window, which cuts those at its edges.

    Returns
    -------
    dict
        ``objects``: of each its ``code`` and ``rings``, lists of [col, row]; or ``why`` there are none to draw.
    """
    window = window.clip(scene.grid.height, scene.grid.width)
    if scene.class_layer is None or not window.pixels:
        return {"objects": []}
    if max(window.height, window.width) > MAX_TRACED_PX:
        return {"why": "Zoom in to see outlines."}
    with tempfile.TemporaryDirectory() as folder:
        try:
            features = find_features(
                mask_blocks(_Part(codes=_codes(scene, commits, window), nodata=int(scene.level.nodata)), WORK_SIDE),
                Grid(height=window.height, width=window.width),
                scene.classes,
                Path(folder) / "objects",
                options=FeatureOptions(object_limit=MAX_OBJECTS),
            )
        except PlanError:
            return {"why": "Too many objects: zoom in to see outlines."}
        if features.vertices > MAX_VERTICES:
            return {"why": "Too many outlines: zoom in to see them."}
        return {"objects": [row for batch in features.batches() for row in _rows(batch, window)]}


def _codes(scene: StoreScene, commits: Commits, window: Window) -> Codes:
    """(rows, cols) of a window; nodata where a block is not committed."""
    assert scene.class_layer is not None
    array = open_array(scene.path, scene.key(scene.class_layer, 0))
    stored = np.asarray(array[window.slices])
    if scene.is_complete:
        return stored
    codes = np.full_like(stored, array.fill_value)
    for _, block in commits.in_window(window):
        place = block.intersect(window).index_in(window)
        codes[place] = stored[place]
    return codes


def _rows(batch: FeatureBatch, window: Window) -> list[dict[str, Any]]:
    """Objects of a batch with their rings in pixels of the raster."""
    points = np.stack([batch.cols + window.col, batch.rows + window.row], axis=1)
    rings = [ring.tolist() for ring in np.split(points, np.cumsum(batch.ring_sizes)[:-1])]
    counts = [int(batch.polygon_rings[i : i + n].sum()) for i, n in _runs(batch)]
    rows, at = [], 0
    for code, count in zip(batch.attributes["code"].tolist(), counts, strict=True):
        rows.append({"code": code, "rings": rings[at : at + count]})
        at += count
    return rows


def _runs(batch: FeatureBatch) -> list[tuple[int, int]]:
    """The first polygon of each object, and how many it has."""
    counts = batch.object_polygons
    return list(zip((np.cumsum(counts) - counts).tolist(), counts.tolist(), strict=True))
