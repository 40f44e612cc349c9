"""What a source covers in another CRS, and how large its pixels are there."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.errors import SourceError
from pipeline.geometry.crs import Box, crs_of, name_of, same_crs, turn_of
from pipeline.interfaces import Source
from pipeline.sources.regrid.placement import WGS84, FloatArray, Placement, reproject

OUTLINE_LATTICE = 65
"""Places along each axis by which a raster's outline is followed into another CRS."""
RESOLUTION_DIGITS = 3
"""Digits of a resolution that the source's pixels give in another CRS."""
STRETCH = 8
"""Times the area of its places by which what a source covers may be larger: rotated it is twice as large."""


def native_resolution(wkt: str, source: Source, placement: Placement) -> tuple[float, float]:
    """(x, y) of a source's pixel in a CRS: as it is in its own, the side of a square of its area in another, rounded.

    Raises SourceError where the source has no place in the CRS.
    """
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
    side = float(f"{math.sqrt(float(np.median(area))):.{RESOLUTION_DIGITS}g}")
    return side, side


def places_of_source(wkt: str, placement: Placement, size: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """(places, places) coordinates of a source in a CRS, from corner to corner."""
    rows, cols = np.meshgrid(*(np.linspace(0, n, OUTLINE_LATTICE) for n in size), indexing="ij")
    return reproject(*placement.coordinates_of(rows, cols), placement.wkt, wkt)


def covered_box(wkt: str, placement: Placement, size: tuple[int, int]) -> Box:
    """What a source covers in a CRS; across the antimeridian longitudes are counted on.

    Where the CRS stretches without bounds, as Mercator does to the poles, only its area of use counts.

    Parameters
    ----------
    wkt
        The CRS.
    placement
        Where the source's pixels lie.
    size
        (height, width) of the source, px.

    Raises
    ------
    SourceError
        It has no place there.
    """
    xs, ys = places_of_source(wkt, placement, size)
    box = _box(wkt, placement, size, xs, ys)
    if box is None or _stretched(box, xs, ys):
        useful = _in_use(wkt, placement, size)
        box = _box(wkt, placement, size, np.where(useful, xs, np.nan), np.where(useful, ys, np.nan))
    if box is None:
        raise _no_place(wkt)
    return box


def _no_place(wkt: str) -> SourceError:
    return SourceError(
        f"The source has no place in {name_of(wkt)}, the CRS of source.grid. Give another source.grid.crs, or "
        f"source.grid.bounds of a part of it that has one."
    )


def _stretched(box: Box, xs: FloatArray, ys: FloatArray) -> bool:
    """Whether a box is many times as large as its places at their median distance would cover."""
    (x_right, y_right), (x_down, y_down) = (tuple(np.diff(values, axis=axis) for values in (xs, ys)) for axis in (1, 0))
    cells = np.abs(x_right[:-1] * y_down[:, :-1] - x_down[:, :-1] * y_right[:-1])
    median = float(np.median(cells[np.isfinite(cells)])) if np.isfinite(cells).any() else 0.0
    return (box.right - box.left) * (box.top - box.bottom) > STRETCH * median * cells.size


def _in_use(wkt: str, placement: Placement, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Places of a source that lie in the area of use of a CRS; all where it names none."""
    area = crs_of(wkt).area_of_use
    lon, lat = places_of_source(WGS84, placement, size)
    if area is None:
        return np.isfinite(lon)
    east = (lon - area.west) % 360.0 <= ((area.east - area.west) % 360.0 or 360.0)
    return np.asarray(np.isfinite(lon) & (lat >= area.south) & (lat <= area.north) & east)


def _box(wkt: str, placement: Placement, size: tuple[int, int], xs: FloatArray, ys: FloatArray) -> Box | None:
    """The rectangle around places of a source; None where none is known."""
    turn = turn_of(wkt)
    finite = np.isfinite(xs) & np.isfinite(ys)
    if not finite.any():
        return None
    if turn and not same_crs(wkt, placement.wkt):
        xs = _counted_on(xs, turn)
    left, right = float(xs[finite].min()), float(xs[finite].max())
    bottom, top = float(ys[finite].min()), float(ys[finite].max())
    if turn == 360.0:
        for pole in (-90.0, 90.0):
            if _holds_pole(wkt, placement, size, pole):
                left, right, bottom, top = -180.0, 180.0, min(bottom, pole), max(top, pole)
    if turn and right - left > turn:
        left, right = -turn / 2, turn / 2
    return Box(left=left, bottom=bottom, right=right, top=top)


def _counted_on(xs: FloatArray, turn: float) -> FloatArray:
    """Longitudes without jumps, from the middle of a raster outwards; unknown ones stay unknown."""
    middle = xs[xs.shape[0] // 2, xs.shape[1] // 2]
    start = middle if np.isfinite(middle) else float(np.nanmedian(xs[np.isfinite(xs)]))
    return np.asarray(xs - turn * np.round((xs - start) / turn))


def _holds_pole(wkt: str, placement: Placement, size: tuple[int, int], latitude: float) -> bool:
    """Whether a pole lies in a source whose longitudes do not come round."""
    longitudes = np.array([0.0, 90.0, 180.0])
    rows, cols = placement.pixels_at(longitudes, np.full(3, latitude), wkt)
    inside = np.isfinite(rows) & np.isfinite(cols) & (rows >= 0) & (rows <= size[0]) & (cols >= 0) & (cols <= size[1])
    return bool(inside.any()) and not (placement.turn and placement.transform is not None)
