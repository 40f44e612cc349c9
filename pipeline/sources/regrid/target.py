"""The grid that ``source.grid`` asks for: what it names, and the source's own in place of what it leaves out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.enums import WktVersion
from rasterio.errors import CRSError

from pipeline.config.source import GridConfig
from pipeline.errors import SourceError
from pipeline.geometry.crs import Box, bbox_of, crs_of, name_of, same_crs, turn_of
from pipeline.geometry.grid import Grid
from pipeline.interfaces import Source
from pipeline.sources.gdal.georeference import grid_of
from pipeline.sources.gdal.opening import open_dataset
from pipeline.sources.regrid.placement import Floats, Placement, reproject
from pipeline.sources.regrid.scale import common_places

LATTICE = 65
"""Places along each axis by which a raster's outline is followed into another CRS."""
WHOLE = 1e-6
"""Part of a pixel by which a side may miss a whole number of pixels."""
DIGITS = 3
"""Digits of a resolution that the source's pixels give in another CRS."""
STRETCH = 8
"""Times the area of its places by which what a source covers may be larger: rotated it is twice as large."""
DEGREES = "EPSG:4326"
MAX_SIDE = 2**31 - 1
"""Rows or columns that GDAL counts."""


def target_grid(config: GridConfig, source: Source, placement: Placement) -> Grid:
    """The grid that a config asks for.

    Parameters
    ----------
    config
        What is asked for.
    source
        On its own grid.
    placement
        Where its pixels lie.

    Raises
    ------
    SourceError
        A CRS is unknown, a file lies nowhere, or the bounds hold no pixel.
    """
    if config.like is not None:
        return _like(config.like)
    wkt, code = _crs(config.crs, source, placement)
    size = source.grid.height, source.grid.width
    resolution = _pair(config.resolution) or _resolution(wkt, source, placement)
    covered = (
        _covered(wkt, placement, size) if config.bounds is None else Box(**dict(zip(SIDES, config.bounds, strict=True)))
    )
    snap = _pair(config.snap) or (resolution if config.bounds is None else None)
    if snap is not None:
        covered = _snapped(covered, snap)
    width, height = (
        math.ceil(length / step - WHOLE)
        for length, step in zip((covered.right - covered.left, covered.top - covered.bottom), resolution, strict=True)
    )
    if max(width, height) > MAX_SIDE:
        raise SourceError(
            f"source.grid makes {height} × {width} px of {resolution[0]:g} × {resolution[1]:g} in {name_of(wkt)}, and "
            f"GDAL counts up to {MAX_SIDE}. Give source.grid.resolution in the units of that CRS, or smaller bounds."
        )
    transform = (resolution[0], 0.0, covered.left, 0.0, -resolution[1], covered.top)
    return Grid(height=height, width=width, transform=transform, wkt=wkt, code=code, unit="crs")


SIDES = ("left", "bottom", "right", "top")


def check_overlap(grid: Grid, source: Source, placement: Placement) -> None:
    """Raise SourceError where no pixel of a grid lies in the source."""
    size = source.grid.height, source.grid.width
    if common_places(grid, size, placement).rows.size:
        return
    assert grid.wkt is not None
    xs, ys = _source_places(grid.wkt, placement, size)
    known = np.isfinite(xs) & np.isfinite(ys)
    covers = (
        str(Box(left=xs[known].min(), bottom=ys[known].min(), right=xs[known].max(), top=ys[known].max()))
        if known.any()
        else "no place there"
    )
    raise SourceError(
        f"source.grid does not overlap the source. In {name_of(grid.wkt)} the grid covers {bbox_of(grid)}, the source "
        f"{covers}. Give source.grid.bounds of the same place, in the units of that CRS, or leave them out."
    )


def _like(path: str) -> Grid:
    try:
        dataset = open_dataset(path)
    except SourceError as error:
        raise SourceError(f"source.grid.like: {str(error).replace('source.path is ', '', 1)}") from error
    with dataset:
        grid = grid_of(dataset)
    if grid.wkt is None:
        raise SourceError(
            f"source.grid.like is {path}, which has no CRS, so that nobody knows where its grid lies. Give a file with "
            f"a CRS and a transform, or source.grid.crs, resolution and bounds."
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
    if value is None:
        return None
    return (float(value), float(value)) if isinstance(value, int | float) else (float(value[0]), float(value[1]))


def _resolution(wkt: str, source: Source, placement: Placement) -> tuple[float, float]:
    """(x, y): the source's pixels, in the same CRS as they are, in another by their area, rounded."""
    if same_crs(wkt, placement.wkt) and placement.transform is not None:
        height, width = source.grid.pixel_size
        return width, height
    rows, cols = np.meshgrid(
        *(np.linspace(0.1, 0.9, 9) * n for n in (source.grid.height, source.grid.width)), indexing="ij"
    )
    corners = [
        reproject(*placement.coordinates_of(rows + down, cols + across), placement.wkt, wkt)
        for down, across in ((0, 0), (0, 1), (1, 0))
    ]
    (x, y), (x_right, y_right), (x_below, y_below) = corners
    area = np.abs((x_right - x) * (y_below - y) - (x_below - x) * (y_right - y))
    area = area[np.isfinite(area)]
    if not len(area):
        raise _no_place(wkt)
    side = float(f"{math.sqrt(float(np.median(area))):.{DIGITS}g}")
    return side, side


def _source_places(wkt: str, placement: Placement, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """(places, places) coordinates of a source in a CRS, from corner to corner."""
    rows, cols = np.meshgrid(*(np.linspace(0, n, LATTICE) for n in size), indexing="ij")
    return reproject(*placement.coordinates_of(rows, cols), placement.wkt, wkt)


def _covered(wkt: str, placement: Placement, size: tuple[int, int]) -> Box:
    """What a source covers in a CRS; across the antimeridian longitudes are counted on.

    Where the CRS stretches without bounds, as Mercator does to the poles, only its area of use counts.
    """
    xs, ys = _source_places(wkt, placement, size)
    box = _box(wkt, placement, size, xs, ys)
    cells = _cells(xs, ys)
    useful = _in_use(wkt, placement, size)
    if box is not None and np.nansum(cells) and not _stretched(box, cells, size):
        return box
    xs, ys = np.where(useful, xs, np.nan), np.where(useful, ys, np.nan)
    box = _box(wkt, placement, size, xs, ys)
    if box is None:
        raise _no_place(wkt)
    return box


def _no_place(wkt: str) -> SourceError:
    return SourceError(
        f"The source has no place in {name_of(wkt)}, the CRS of source.grid. Give another source.grid.crs, or "
        f"source.grid.bounds of a part of it that has one."
    )


def _cells(xs: Floats, ys: Floats) -> Floats:
    """Areas between neighbouring places, in units of their CRS."""
    right, down = (np.diff(v, axis=1)[:-1] for v in (xs, ys)), (np.diff(v, axis=0)[:, :-1] for v in (xs, ys))
    (x_right, y_right), (x_down, y_down) = right, down
    return np.asarray(np.abs(x_right * y_down - x_down * y_right))


def _stretched(box: Box, cells: Floats, size: tuple[int, int]) -> bool:
    """Whether a box is many times as large as its places at their median distance would cover."""
    median = float(np.median(cells[np.isfinite(cells)]))
    return (box.right - box.left) * (box.top - box.bottom) > STRETCH * median * cells.size


def _in_use(wkt: str, placement: Placement, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Places of a source that lie in the area of use of a CRS; all where it names none."""
    area = crs_of(wkt).area_of_use
    lon, lat = _source_places(DEGREES, placement, size)
    if area is None:
        return np.isfinite(lon)
    east = (lon - area.west) % 360.0 <= ((area.east - area.west) % 360.0 or 360.0)
    return np.asarray(np.isfinite(lon) & (lat >= area.south) & (lat <= area.north) & east)


def _box(wkt: str, placement: Placement, size: tuple[int, int], xs: Floats, ys: Floats) -> Box | None:
    turn = turn_of(wkt)
    known = np.isfinite(xs) & np.isfinite(ys)
    if not known.any():
        return None
    if turn and not same_crs(wkt, placement.wkt):
        xs = _counted_on(xs, turn)
    left, right = float(xs[known].min()), float(xs[known].max())
    bottom, top = float(ys[known].min()), float(ys[known].max())
    if turn == 360.0:
        for pole in (-90.0, 90.0):
            if _holds_pole(wkt, placement, size, pole):
                left, right, bottom, top = -180.0, 180.0, min(bottom, pole), max(top, pole)
    if turn and right - left > turn:
        left, right = -turn / 2, turn / 2
    return Box(left=left, bottom=bottom, right=right, top=top)


def _counted_on(xs: Floats, turn: float) -> Floats:
    """Longitudes without jumps, from the middle of a raster outwards; unknown ones stay unknown."""
    middle = xs[xs.shape[0] // 2, xs.shape[1] // 2]
    start = middle if np.isfinite(middle) else float(np.nanmedian(xs[np.isfinite(xs)]))
    return np.asarray(xs - turn * np.round((xs - start) / turn))


def _holds_pole(wkt: str, placement: Placement, size: tuple[int, int], latitude: float) -> bool:
    longitudes = np.array([0.0, 90.0, 180.0])
    rows, cols = placement.pixels_at(longitudes, np.full(3, latitude), wkt)
    inside = np.isfinite(rows) & np.isfinite(cols) & (rows >= 0) & (rows <= size[0]) & (cols >= 0) & (cols <= size[1])
    return bool(inside.any()) and not (placement.turn and placement.transform is not None)


def _snapped(box: Box, snap: tuple[float, float]) -> Box:
    """The smallest box around another whose sides are multiples of a number."""
    x, y = snap
    return Box(
        left=math.floor(box.left / x + WHOLE) * x,
        bottom=math.floor(box.bottom / y + WHOLE) * y,
        right=math.ceil(box.right / x - WHOLE) * x,
        top=math.ceil(box.top / y - WHOLE) * y,
    )
