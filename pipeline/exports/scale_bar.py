"""How long a scale bar is, and what it says."""

from __future__ import annotations

import math

from pipeline.geometry.grid import Grid
from pipeline.geometry.ground import pixel_metres


def scale_bar(grid: Grid, width: float) -> tuple[float, str]:
    """A bar of about a quarter of a picture: its length in px of the raster, and its text.

    Parameters
    ----------
    grid
        Of the raster.
    width
        Of the picture, px of the raster.
    """
    size, unit = _ground(grid)
    length = _round(size * width / 4)
    large = {"m": "km", "µm": "mm"}.get(unit)
    text = f"{length / 1000:g} {large}" if large and length >= 1000 else f"{length:g} {unit}"
    return length / size, text


def _round(length: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten below a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length)


def _ground(grid: Grid) -> tuple[float, str]:
    """Width of a pixel and its unit."""
    if grid.unit == "um":
        return grid.pixel_size[1], "µm"
    metres = pixel_metres(grid)
    return (1.0, "px") if metres is None else (metres, "m")
