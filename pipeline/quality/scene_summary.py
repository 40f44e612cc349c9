"""A store in a few facts, a small picture and the areas of its classes, from little reading."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from PIL import Image

from pipeline.geometry.areas import AreaMethod, pixel_areas
from pipeline.geometry.grid import Grid
from pipeline.objects.mask import Codes
from pipeline.quality.stats.rows import StatsRow
from pipeline.quality.stats.stats import store_stats
from pipeline.store.lifecycle import open_layer, read_store_meta
from pipeline.store.reader import StoreLevel, open_store
from pipeline.store.respec import read_spec
from pipeline.store.spec import ClassRow, StoreSpec

PICTURE_SIDE = 384
"""Longest side of the picture, px."""
PICTURE_BYTES = 100_000
"""Most characters of the picture as base64."""
COUNTED_PIXELS = 2**22
"""Most pixels that are counted. A larger scene has an overview counted in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSummary:
    """What is shown of a store."""

    level: StoreLevel
    """The full resolution."""
    layers: tuple[str, ...]
    is_complete: bool
    committed: int
    """Blocks of the full resolution."""
    rows: tuple[StatsRow, ...] = ()
    """One for each class; empty where the store is not complete, has no classes, or is large and has no overviews."""
    counted_level: int = 0
    """The level that was counted: 0 where the rows are exact."""
    area_method: AreaMethod = "planar"
    picture: str | None = None
    """PNG as base64; None where there are no rows."""


def scene_summary(level: StoreLevel) -> SceneSummary:
    """Look at a store; at most `COUNTED_PIXELS` pixels are read, and those of the picture.

    Parameters
    ----------
    level
        Its full resolution.

    Raises
    ------
    StoreError
        The store is gone or damaged.
    OSError
        Its storage cannot be reached.
    """
    spec, is_complete = read_spec(level.path), bool(read_store_meta(level.path).get("complete"))
    facts = SceneSummary(level=level, layers=spec.layers, is_complete=is_complete, committed=level.committed_blocks())
    if not (is_complete and spec.classes):
        return facts
    counted = _first_level(spec, lambda grid: grid.height * grid.width <= COUNTED_PIXELS)
    if counted is None:
        return facts
    return replace(
        facts,
        rows=tuple(store_stats(open_store(level.path, counted))),
        counted_level=counted,
        area_method=pixel_areas(level.grid).method,
        picture=_picture(_codes(level, spec, counted), spec.classes),
    )


def _first_level(spec: StoreSpec, fits: Callable[[Grid], bool]) -> int | None:
    """The first level whose grid fits; None where none does, as without overviews."""
    return next((k for k in range(spec.levels) if fits(spec.grid.level(k))), None)


def _codes(level: StoreLevel, spec: StoreSpec, counted: int) -> Codes:
    """(rows, cols) codes to draw, of the largest level that fits; else some rows and columns of the counted one."""
    k = _first_level(spec, lambda grid: max(grid.height, grid.width) <= PICTURE_SIDE)
    layer = "cleaned" if "cleaned" in spec.layers else "mask"
    array = open_layer(level.path, counted if k is None else k, layer)
    step = max(1, -(-max(array.shape) // PICTURE_SIDE))
    return np.asarray(array[::step, ::step])


def _picture(codes: Codes, classes: tuple[ClassRow, ...]) -> str:
    """The classes in their colours, clear where there is none: a PNG that becomes smaller until it is small enough."""
    table = np.zeros((np.iinfo(codes.dtype).max + 1, 4), dtype=np.uint8)
    for row in classes:
        table[row.code] = (*row.rgb, 255)
    for step in count(1):
        buffer = io.BytesIO()
        Image.fromarray(table[codes[::step, ::step]]).save(buffer, format="PNG", optimize=True)
        text = base64.b64encode(buffer.getvalue()).decode()
        if len(text) <= PICTURE_BYTES:
            return text
    raise AssertionError("unreachable")
