"""Which pixels of a source a window of the target grid needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.geometry.grid import Grid
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.sources.regrid.placement import FloatArray, Placement

PROBED_STEPS = 16
"""Places along each side of a window at which the source is looked up, where it is smooth between them."""
SMOOTH_PX = 1.0
"""Second differences between such places, px, up to which it is."""
JUMPS_PX = 2.0
"""Slack where every corner of a pixel is looked up, px: places may jump between them."""
ROUNDING_MARGIN = 3
"""Pixels beyond the kernel: GDAL rounds outwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A part of the source, and how it is moved to lie on the target."""

    turns: int
    """Times around the earth to the east."""
    window: Window
    """Inside the source, px."""


def needs(
    placement: Placement, target: Grid, window: Window, size: tuple[int, int], radius: tuple[int, int]
) -> list[Need]:
    """The parts of a source that a window of the target takes up.

    Parameters
    ----------
    placement
        Of the source.
    target
        The grid that it is brought to.
    window
        Inside the target, px.
    size
        (height, width) of the source, px.
    radius
        (rows, cols) that the kernel looks beyond a place, px of the source.
    """
    rows, cols, slack = places(placement, target, window)
    boxes = []
    for turns in (0, 1, -1) if placement.turn else (0,):
        down, across = placement.pixels_per_turn if turns else (0.0, 0.0)
        part = _box(rows - turns * down, cols - turns * across, radius, slack, size)
        if part is not None:
            boxes.append(Need(turns=turns, window=part))
    return boxes


def places(placement: Placement, target: Grid, window: Window) -> tuple[FloatArray, FloatArray, float]:
    """(rows, cols) in the source of places of a window, and how far others may lie beyond them, px."""
    rows, cols = _pixels(placement, target, window, PROBED_STEPS)
    bend = max(_bend(rows), _bend(cols))
    if bend <= SMOOTH_PX:
        return rows, cols, bend
    rows, cols = _pixels(placement, target, window, max(window.height, window.width))
    return rows, cols, JUMPS_PX


def _pixels(placement: Placement, target: Grid, window: Window, steps: int) -> tuple[FloatArray, FloatArray]:
    """(places, places) rows and columns in the source, from corner to corner of a window."""
    at_rows, at_cols = (
        np.linspace(span.start, span.stop, min(steps, span.size) + 1) for span in (window.rows, window.cols)
    )
    row, col = np.meshgrid(at_rows, at_cols, indexing="ij")
    a, b, c, d, e, f = target.transform
    assert target.wkt is not None
    return placement.pixels_at(a * col + b * row + c, d * col + e * row + f, target.wkt)


def _bend(values: FloatArray) -> float:
    """Largest second difference along either axis; infinite where a place is unknown."""
    if not np.isfinite(values).all():
        return math.inf
    return max(
        (float(np.abs(np.diff(values, 2, axis)).max()) for axis in (0, 1) if values.shape[axis] > 2), default=0.0
    )


def _box(
    rows: FloatArray, cols: FloatArray, radius: tuple[int, int], slack: float, size: tuple[int, int]
) -> Window | None:
    """The window that holds places and what the kernel sees around them; None where none lies in the raster.

    Where places jump, those alone count that lie in the raster or near it.
    """
    reach = [r + ROUNDING_MARGIN + math.ceil(slack) for r in radius]
    near = np.isfinite(rows) & np.isfinite(cols)
    if slack > SMOOTH_PX:
        near &= (rows > -reach[0]) & (rows < size[0] + reach[0]) & (cols > -reach[1]) & (cols < size[1] + reach[1])
    if not near.any():
        return None
    spans = [
        Span(math.floor(values[near].min()) - beyond, math.ceil(values[near].max()) + beyond)
        for values, beyond in zip((rows, cols), reach, strict=True)
    ]
    part = Window.of(*spans).clip(*size)
    return part if part.pixels else None
