"""What a store says of the part of its raster that was asked for: a small mask of it, and the tissue."""

from __future__ import annotations

from typing import Any

from pipeline.geometry.grid import Grid
from pipeline.geometry.packed_mask import PackedMask
from pipeline.geometry.window import Window
from pipeline.sources.only.area import RequestedArea, SourceAreas

SMALL_MASK_SIDE = 512
"""Longest side of the small mask, px."""


def area_meta(areas: SourceAreas, grid: Grid, *, keeps_picture: bool) -> dict[str, Any]:
    """Entries of a store's root; none where everything is asked for.

    Parameters
    ----------
    areas
        Of the source.
    grid
        Of the raster.
    keeps_picture
        Whether the store may hold a picture of its source.
    """
    if areas.area is None:
        return {}
    tissue = {key: value for key, value in (areas.tissue or {}).items() if keeps_picture or key != "image"}
    return {"area": small_mask(areas.area, grid), **({"tissue": tissue} if tissue else {})}


def small_mask(area: RequestedArea, grid: Grid) -> dict[str, Any]:
    """What is asked for, at every n-th pixel: plain values."""
    step = max(-(-max(grid.height, grid.width) // SMALL_MASK_SIDE), 1)
    window = Window(row=0, col=0, height=-(-grid.height // step), width=-(-grid.width // step))
    return PackedMask.of(area.read(window, step)).as_dict()
