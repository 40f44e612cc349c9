"""How the grid of one source lies on that of another: equal, whole pixels apart, or otherwise, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rasterio.transform import Affine

from pipeline.geometry.crs import CORNER_TOLERANCE_PX, same_corners, same_crs
from pipeline.geometry.grid import Grid

OFFSET_DIGITS = 3
"""Of distances in px."""


def whole_shift(grid: Grid, target: Grid) -> tuple[int, int] | None:
    """(row, col) of a grid, in px, at which another begins that has the same pixels.

    None where their pixels differ, or lie no whole number apart. Corners within 0.01 px are one place.

    Parameters
    ----------
    grid
        Of a source.
    target
        The grid to which it is brought.
    """
    if not same_crs(grid.wkt, target.wkt) or grid.unit != target.unit:
        return None
    corner = _relative(grid, target)
    row, col = round(corner.f), round(corner.c)
    moved = tuple(Affine(*grid.transform) * Affine.translation(col, row))[:6]
    return (row, col) if same_corners(replace(target, transform=moved), target) else None


def difference(grid: Grid, target: Grid) -> str:
    """What of a grid is not as in another, in words that follow a colon."""
    return "; ".join(_differences(grid, target))


def _differences(grid: Grid, target: Grid) -> Iterator[str]:
    if not same_crs(grid.wkt, target.wkt):
        yield f"its CRS is {_crs(grid)}, not {_crs(target)}"
        return
    if grid.unit != target.unit:
        yield f"its coordinates are {_UNITS[grid.unit]}, not {_UNITS[target.unit]}"
        return
    a, b, c, d, e, f = tuple(_relative(target, grid))[:6]
    (down, across), (height, width) = grid.pixel_size, target.pixel_size
    if max(abs(down / height - 1) * grid.height, abs(across / width - 1) * grid.width) > CORNER_TOLERANCE_PX:
        yield f"its pixels are {_size(grid)}, not {_size(target)}"
    if min(a, e) < 0 or max(abs(b) * grid.height, abs(d) * grid.width) > CORNER_TOLERANCE_PX:
        yield "its rows and columns run in other directions"
    if max(abs(round(c, OFFSET_DIGITS)), abs(round(f, OFFSET_DIGITS))) > 0:
        yield f"its corner lies {_along(c, 'to the right', 'to the left')} and {_along(f, 'down', 'up')}"
    if (grid.height, grid.width) != (target.height, target.width):
        yield f"it has {grid.height} × {grid.width} px, not {target.height} × {target.width}"


_UNITS = {"crs": "those of a CRS", "um": "micrometres", "px": "pixels"}


def _relative(grid: Grid, other: Grid) -> Affine:
    """From pixels of another grid to those of a grid."""
    return ~Affine(*grid.transform) * Affine(*other.transform)


def _crs(grid: Grid) -> str:
    return grid.code or (f"“{grid.wkt[:40]}…”" if grid.wkt else "unknown")


def _size(grid: Grid) -> str:
    height, width = grid.pixel_size
    return f"{height:.10g} × {width:.10g}"


def _along(pixels: float, ahead: str, back: str) -> str:
    return f"{abs(pixels):.{OFFSET_DIGITS}f}".rstrip("0").rstrip(".") + f" px {ahead if pixels >= 0 else back}"
