"""Which window is looked at: the one that is asked for, or the most varied."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ConfigError, ReadError, SourceError
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import Source
from pipeline.preview.variety import moments, overview_variety, place_variety
from pipeline.runtime.resources import MIB, human
from pipeline.sources.overview import Overview, read_overview

if TYPE_CHECKING:
    from pipeline.sources.only.area import RequestedArea

MAX_DECODED = 256 * MIB
"""Bytes that are decoded of a raster without overviews to choose a window."""
ACROSS = 4
"""Fixed places along each axis."""
READ_ORDER = (5, 10, 6, 9, 0, 15, 3, 12, 1, 14, 7, 8, 2, 13, 4, 11)
"""Fixed places in the order in which they are read, since MAX_DECODED may end it early: inner ones first."""
SAMPLES = 8
"""Px of an overview that a window is wide, at the least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenWindow:
    """A window within the raster, and why it was chosen."""

    window: Window
    reason: str
    """For people, without a full stop."""


def window_at(grid: Grid, x: float, y: float, side: int) -> ChosenWindow:
    """The window around a point in the raster's CRS, or in what its transform counts in.

    Raises
    ------
    ConfigError
        The point lies outside of the raster.
    """
    a, b, c, d, e, f = grid.transform
    determinant = a * e - b * d
    col = (e * (x - c) - b * (y - f)) / determinant
    row = (a * (y - f) - d * (x - c)) / determinant
    if not (0 <= row < grid.height and 0 <= col < grid.width):
        left, bottom, right, top = grid.bounds
        raise ConfigError(
            f"--at is {x:.10g},{y:.10g}, which lies outside of the raster. Give x from {left:.10g} to {right:.10g} and "
            f"y from {bottom:.10g} to {top:.10g}, {_unit(grid)}."
        )
    window = centred(grid, math.floor(row), math.floor(col), side)
    return ChosenWindow(window=window, reason=f"around x {x:.10g}, y {y:.10g}, as --at says")


def window_at_pixel(grid: Grid, row: int, col: int, side: int) -> ChosenWindow:
    """The window around a pixel, counted from 0; raises ConfigError where it lies outside of the raster."""
    if not (0 <= row < grid.height and 0 <= col < grid.width):
        raise ConfigError(
            f"--pixel is {row},{col}, which lies outside of the raster. Give a row from 0 to {grid.height - 1} and a "
            f"column from 0 to {grid.width - 1}."
        )
    return ChosenWindow(window=centred(grid, row, col, side), reason=f"around row {row}, column {col}, as --pixel says")


def centred(grid: Grid, row: int, col: int, side: int) -> Window:
    """A window around a pixel, moved into the raster and cut where the raster is smaller."""
    height, width = min(side, grid.height), min(side, grid.width)
    return Window(
        row=min(max(row - side // 2, 0), grid.height - height),
        col=min(max(col - side // 2, 0), grid.width - width),
        height=height,
        width=width,
    )


def most_varied(source: Source, area: RequestedArea | None, side: int) -> ChosenWindow:
    """The most varied window on an overview, or of sixteen fixed places where there is none.

    With an area, of sixteen places in it that a fixed draw gives.

    Raises
    ------
    SourceError
        The raster cannot be read.
    """
    grid = source.grid
    if grid.height <= side and grid.width <= side:
        return ChosenWindow(window=centred(grid, 0, 0, side), reason="all of the raster")
    overview = read_overview(source, max(side // SAMPLES, 1))
    if overview is not None and side >= 2 * overview.step:
        return _on_overview(overview, grid, area, side)
    return _of_places(source, area, side)


def _on_overview(overview: Overview, grid: Grid, area: RequestedArea | None, side: int) -> ChosenWindow:
    step, (rows, cols) = overview.step, overview.valid.shape
    height, width = (min(max(side // step, 1), length) for length in (rows, cols))
    variety = overview_variety(overview, height, width)
    if area is None:
        row, col = np.unravel_index(int(variety.argmax()), variety.shape)
        window = _within(grid, int(row) * step, int(col) * step, side)
        return ChosenWindow(window=window, reason=f"the most varied on the raster's overview 1:{step}")
    last_row, last_col = variety.shape[0] - 1, variety.shape[1] - 1
    window = max(
        _windows_of_area(grid, area, side),
        key=lambda place: variety[min(place.row // step, last_row), min(place.col // step, last_col)],
    )
    reason = f"the most varied on the raster's overview 1:{step}, of {len(READ_ORDER)} places in the area"
    return ChosenWindow(window=window, reason=reason)


def _within(grid: Grid, row: int, col: int, side: int) -> Window:
    """A window from its first pixel on, moved into the raster."""
    return centred(grid, row + side // 2, col + side // 2, side)


def _of_places(source: Source, area: RequestedArea | None, side: int) -> ChosenWindow:
    grid = source.grid
    windows = list(dict.fromkeys(_lattice(grid, side) if area is None else _windows_of_area(grid, area, side)))
    affordable, size = _affordable(source, windows)
    lack = "the raster has no overviews of use"
    if not affordable:
        reason = f"{lack}, and a look at one place decodes more than {human(MAX_DECODED)}: the first place, unseen"
        return ChosenWindow(window=windows[0], reason=reason)
    try:
        varieties = place_variety([moments(source.read(window)) for window in affordable])
    except ReadError as error:
        raise SourceError(f"{str(error).rstrip('.')}. Mend the file, or choose a window by --at or --pixel.") from error
    window = affordable[int(np.argmax(varieties))]
    kind = "fixed places" if area is None else "places in the area"
    reason = f"{lack}: the most varied of {len(affordable)} {kind}, {human(size)} decoded"
    return ChosenWindow(window=window, reason=reason)


def _lattice(grid: Grid, side: int) -> Iterator[Window]:
    for number in READ_ORDER:
        row, col = divmod(number, ACROSS)
        yield centred(
            grid, grid.height * (2 * row + 1) // (2 * ACROSS), grid.width * (2 * col + 1) // (2 * ACROSS), side
        )


def _windows_of_area(grid: Grid, area: RequestedArea, side: int) -> list[Window]:
    rng = np.random.default_rng(0)
    return [centred(grid, *area.random_pixel(rng), side) for _ in READ_ORDER]


def _affordable(source: Source, windows: list[Window]) -> tuple[list[Window], int]:
    """The first windows that decode no more than MAX_DECODED together, and how many bytes that is."""
    total, chosen = 0, list[Window]()
    for window in windows:
        total += (size := _decoded_bytes(source, window))
        if total > MAX_DECODED:
            return chosen, total - size
        chosen.append(window)
    return chosen, total


def _decoded_bytes(source: Source, window: Window) -> int:
    """Of the file's own blocks that hold a window."""
    rows, cols = window.rows.align(source.block[0]), window.cols.align(source.block[1])
    pixels = Window.of(rows, cols).clip(source.grid.height, source.grid.width).pixels
    return pixels * source.bands * source.dtype.itemsize


def _unit(grid: Grid) -> str:
    return {"um": "in µm", "px": "in px", "crs": f"in units of {grid.code or 'its CRS'}"}[grid.unit]
