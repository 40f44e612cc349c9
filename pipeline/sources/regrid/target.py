"""The grid that ``source.grid`` asks for: what it names, and the source's own in place of what it leaves out."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import WktVersion
from rasterio.errors import CRSError

from pipeline.config.grids import GridConfig
from pipeline.errors import SourceError
from pipeline.geometry.crs import Box, bbox_of, name_of
from pipeline.geometry.grid import Grid
from pipeline.interfaces import Source
from pipeline.sources.gdal.georeference import grid_of
from pipeline.sources.gdal.opening import open_dataset
from pipeline.sources.gdal.options import gdal_env, gdal_options, mask_urls
from pipeline.sources.regrid.coverage import covered_box, native_resolution, places_of_source
from pipeline.sources.regrid.placement import Placement
from pipeline.sources.regrid.scale import common_places

WHOLE_TOLERANCE_PX = 1e-6
"""Part of a pixel by which a side may miss a whole number of pixels."""
MAX_GRID_SIDE = 2**31 - 1
"""Rows or columns that GDAL counts."""
BOUND_NAMES = ("left", "bottom", "right", "top")
"""Sides of bounds, in the order in which a config lists them."""


def target_grid(
    config: GridConfig, source: Source, placement: Placement, covered_in: Callable[[str], Box] | None = None
) -> Grid:
    """The grid that a config asks for.

    Parameters
    ----------
    config
        What is asked for.
    source
        On its own grid.
    placement
        Where its pixels lie.
    covered_in
        What is covered in a CRS, where that is more than the source alone.

    Raises
    ------
    SourceError
        A CRS is unknown, a file lies nowhere, or the bounds hold no pixel.
    """
    if config.like is not None:
        return _like(config.like)
    wkt, code = _crs(config.crs, source, placement)
    size = source.grid.height, source.grid.width
    resolution = _pair(config.resolution) or native_resolution(wkt, source, placement)
    if config.bounds is not None:
        covered = Box(**dict(zip(BOUND_NAMES, config.bounds, strict=True)))
    else:
        covered = covered_in(wkt) if covered_in else covered_box(wkt, placement, size)
    snap = _pair(config.snap) or (resolution if config.bounds is None else None)
    if snap is not None:
        covered = _snapped(covered, snap)
    width, height = (
        math.ceil(length / step - WHOLE_TOLERANCE_PX)
        for length, step in zip((covered.right - covered.left, covered.top - covered.bottom), resolution, strict=True)
    )
    if max(width, height) > MAX_GRID_SIDE:
        raise SourceError(
            f"source.grid makes {height} × {width} px of {resolution[0]:g} × {resolution[1]:g} in {name_of(wkt)}, and "
            f"GDAL counts up to {MAX_GRID_SIDE}. Give source.grid.resolution in the units of that CRS, or smaller "
            f"bounds."
        )
    transform = (resolution[0], 0.0, covered.left, 0.0, -resolution[1], covered.top)
    return Grid(height=height, width=width, transform=transform, wkt=wkt, code=code, unit="crs")


def check_grid_overlap(grid: Grid, source: Source, placement: Placement) -> None:
    """Raise SourceError where no pixel of a grid lies in the source."""
    size = source.grid.height, source.grid.width
    if common_places(grid, size, placement).rows.size:
        return
    assert grid.wkt is not None
    xs, ys = places_of_source(grid.wkt, placement, size)
    finite = np.isfinite(xs) & np.isfinite(ys)
    covers = (
        str(Box(left=xs[finite].min(), bottom=ys[finite].min(), right=xs[finite].max(), top=ys[finite].max()))
        if finite.any()
        else "no place there"
    )
    raise SourceError(
        f"source.grid does not overlap the source. In {name_of(grid.wkt)} the grid covers {bbox_of(grid)}, the source "
        f"{covers}. Give source.grid.bounds of the same place, in the units of that CRS, or leave them out."
    )


def _like(path: str) -> Grid:
    """The grid of a file."""
    try:
        with gdal_env(gdal_options(path, [])), open_dataset(path) as dataset:
            grid = grid_of(dataset)
    except SourceError as error:
        raise SourceError(f"source.grid.like: {str(error).removeprefix('source.path is ')}") from error
    if grid.wkt is None:
        raise SourceError(
            f"source.grid.like is {mask_urls(path)}, which has no CRS, so that nobody knows where its grid lies. "
            f"Give a file with a CRS and a transform, or source.grid.crs, resolution and bounds."
        )
    return grid


def _crs(text: str | None, source: Source, placement: Placement) -> tuple[str, str | None]:
    """WKT and code of the CRS that is asked for, else of the source's."""
    if text is None and source.grid.wkt == placement.wkt:
        return placement.wkt, source.grid.code
    try:
        crs = CRS.from_user_input(text or placement.wkt)
        wkt = str(crs.to_wkt(version=WktVersion.WKT2_2019))
    except CRSError as error:
        raise SourceError(
            f"source.grid.crs is {text}, which is no CRS that PROJ knows. Give AUTHORITY:CODE such as EPSG:32632, or "
            f"WKT."
        ) from error
    authority = crs.to_authority(confidence_threshold=100)
    return wkt, ":".join(authority) if authority and CRS.from_authority(*authority) == crs else None


def _pair(value: float | list[float] | None) -> tuple[float, float] | None:
    """(x, y) of a number for both, or of two."""
    if value is None:
        return None
    return (float(value), float(value)) if isinstance(value, int | float) else (float(value[0]), float(value[1]))


def _snapped(box: Box, snap: tuple[float, float]) -> Box:
    """The smallest box around another whose sides are multiples of a number."""
    x, y = snap
    return Box(
        left=math.floor(box.left / x + WHOLE_TOLERANCE_PX) * x,
        bottom=math.floor(box.bottom / y + WHOLE_TOLERANCE_PX) * y,
        right=math.ceil(box.right / x - WHOLE_TOLERANCE_PX) * x,
        top=math.ceil(box.top / y - WHOLE_TOLERANCE_PX) * y,
    )
