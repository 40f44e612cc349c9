"""The grid on which all bands are laid, and how each band lies on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rasterio.transform import Affine

from pipeline.errors import SourceError
from pipeline.geometry.crs import same_crs
from pipeline.geometry.grid import Grid
from pipeline.geometry.resampling import Axis

PARALLEL = 1e-6
"""Share of a pixel by which an axis may turn, per px."""
SAME_SIZE = 1e-6
"""Share by which two pixel sizes may differ and still be one."""


def common_grid(grids: Sequence[Grid], resolution: float | None) -> Grid:
    """The grid of the finest band, or one of a resolution over the same ground.

    Parameters
    ----------
    grids
        Of the bands, in their order. Of several that are equally fine, the first counts.
    resolution
        ``source.resolution``, in the units of the CRS; None for the finest.
    """
    finest = min(grids, key=lambda grid: round(_size(grid), 9))
    if resolution is None or _near(resolution, finest):
        return finest
    return next((grid for grid in grids if _near(resolution, grid)), None) or _resized(finest, resolution)


def axes_of(name: str, source: Grid, target: Grid) -> tuple[Axis, Axis]:
    """How the rows and columns of a band lie on those of the target.

    Raises
    ------
    SourceError
        Their CRS differ, or their axes do not run along each other.
    """
    if not same_crs(source.wkt, target.wkt):
        raise SourceError(
            f"Band {name} lies in {source.code or 'another CRS'}, and the others in {target.code or 'another'}. Bands "
            f"of one source have one CRS. Warp it to that of the others first (gdalwarp -t_srs)."
        )
    a, b, c, d, e, f = tuple(~Affine(*source.transform) * Affine(*target.transform))[:6]
    if (
        abs(b) * target.height > PARALLEL * source.width
        or abs(d) * target.width > PARALLEL * source.height
        or min(a, e) <= 0
    ):
        raise SourceError(
            f"Band {name} is turned or mirrored against the others, so that its rows and columns do not run along "
            f"theirs. Warp it to their grid first (gdalwarp)."
        )
    rows, cols = Axis(length=source.height, start=f, step=e), Axis(length=source.width, start=c, step=a)
    if not _overlap(rows, target.height) or not _overlap(cols, target.width):
        raise SourceError(f"Band {name} lies elsewhere than the others: no pixel of the scene has it. Check its file.")
    return rows, cols


def _overlap(axis: Axis, length: int) -> bool:
    return axis.start < axis.length and axis.start + length * axis.step > 0


def _size(grid: Grid) -> float:
    height, width = grid.pixel_size
    return height * width


def _near(resolution: float, grid: Grid) -> bool:
    return all(abs(size - resolution) <= SAME_SIZE * resolution for size in grid.pixel_size)


def _resized(grid: Grid, resolution: float) -> Grid:
    """The same corner and ground, with other pixels; the last row and column may reach beyond."""
    height, width = grid.pixel_size
    down, across = resolution / height, resolution / width
    a, b, c, d, e, f = grid.transform
    return replace(
        grid,
        height=_count(grid.height / down),
        width=_count(grid.width / across),
        transform=(a * across, b * down, c, d * across, e * down, f),
    )


def _count(pixels: float) -> int:
    return max(int(-(-round(pixels, 6) // 1)), 1)
