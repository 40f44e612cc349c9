"""Where a level lies on level 0, by comparing some of its pixels with those that they were made of.

Sizes leave open whether a level of 320 px of a slide of 1,281 px has pixels of 4 px, or of 4.003 px. At its far edge
the two are 1 px of the slide apart. They also leave open whether its pixels are means, or every fourth pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ReadError
from pipeline.geometry.resampling import Axis, Method, resampled
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.sources.slide_files.pyramid import Level, LevelAxis, SlideFile, whole_squares
from pipeline.sources.slide_files.region import read_region
from pipeline.sources.slide_files.tile_cache import TileCache

ReadBand = Callable[[int, Window], npt.NDArray[Any] | None]
"""(rows, cols) of a band in a window of a level; None where some of it is invalid or unreadable."""
PLACES = (1 / 3, 2 / 3, 1.0)
"""Shares of a level's sides at which windows end."""
SIDE_ON_SLIDE = 512
"""Rows and columns of level 0 that are compared at a place, px."""
SMALLEST_SIDE = 8
"""Rows and columns of the level that are, at least, px."""
LARGEST_SCALE = 64
"""Levels that are coarser are not compared: a pixel of level 0 counts for little there."""
BETTER = 0.95
"""Share of the squared differences below which another place of the level is taken."""
PICKED = 0.9
"""The same for pixels that were picked and not averaged."""
PROBE_CACHE = 64 * 2**20
"""Bytes of tiles of level 0 that are held while levels are compared."""


@dataclass(frozen=True, slots=True)
class Placing:
    """One way in which a level may have been made."""

    rows: LevelAxis
    cols: LevelAxis
    method: Method
    share: float
    """Of the squared differences of what the sizes say: below it, this is taken."""


def measured_level(read: ReadBand, slide: tuple[int, int], level: Level) -> Level:
    """A level in the place that its pixels show; in that of its sizes where they show none.

    Parameters
    ----------
    read
        Reads one band.
    slide
        (rows, cols) of level 0, px.
    level
        Placed by its sizes.
    """
    by_size = Placing(level.rows, level.cols, "average", 1.0)
    others = [
        placing for placing in _placings(slide, level) if (placing.rows, placing.method) != (level.rows, "average")
    ]
    if not others or level.rows.scale > LARGEST_SCALE:
        return level
    errors = np.zeros(1 + len(others))
    for window in _windows(level):
        errors += _errors(read, slide, level, window, [by_size, *others])
    fitting = [
        (error, placing) for error, placing in zip(errors[1:], others, strict=True) if error < placing.share * errors[0]
    ]
    _, best = min(fitting, key=lambda pair: pair[0], default=(0.0, by_size))
    return replace(level, rows=best.rows, cols=best.cols)


def _placings(slide: tuple[int, int], level: Level) -> Iterator[Placing]:
    """All ways that the sizes allow."""
    axes = level.rows, level.cols
    rows, cols = (
        LevelAxis(length=axis.length, scale=length / axis.length) for length, axis in zip(slide, axes, strict=True)
    )
    yield Placing(rows, cols, "average", BETTER)
    sides = {whole_squares(length, axis.length) for length, axis in zip(slide, axes, strict=True)}
    side = sides.pop() if len(sides) == 1 else None
    if side is None:
        return
    squares = [LevelAxis(length=axis.length, scale=float(side)) for axis in axes]
    yield Placing(squares[0], squares[1], "average", BETTER)
    picked = [replace(axis, origin=(1 - side) / 2) for axis in squares]
    yield Placing(picked[0], picked[1], "nearest", PICKED)


def _windows(level: Level) -> Iterator[Window]:
    side = max(SMALLEST_SIDE, int(SIDE_ON_SLIDE / level.rows.scale))
    for down in PLACES:
        for across in PLACES:
            rows, cols = (
                Span(max(int(axis.length * share) - side, 0), max(int(axis.length * share), 1))
                for axis, share in ((level.rows, down), (level.cols, across))
            )
            yield Window.of(rows, cols)


def _errors(
    read: ReadBand, slide: tuple[int, int], level: Level, window: Window, placings: list[Placing]
) -> npt.NDArray[np.float64]:
    """Sums of squared differences, by placing; 0 for all where a pixel is invalid."""
    stored = read(level.index, window)
    errors = np.zeros(len(placings))
    if stored is None:
        return errors
    for k, placing in enumerate(placings):
        rows, cols = (
            Axis(length=length, start=axis.origin, step=axis.scale).taps(span, placing.method)
            for length, axis, span in zip(slide, (placing.rows, placing.cols), (window.rows, window.cols), strict=True)
        )
        pixels = read(0, Window.of(rows.span, cols.span))
        if pixels is None:
            return np.zeros(len(placings))
        made = resampled(pixels.astype(np.float64), rows, cols)
        errors[k] = float(((made - stored) ** 2).sum())
    return errors


def band_reader(file: SlideFile, levels: Sequence[Level], band: int) -> ReadBand:
    """A reader of one band of any level: None where a pixel of a window is invalid, or cannot be read."""
    caches = [TileCache(PROBE_CACHE if level.index == 0 else 0) for level in levels]

    def read(level: int, window: Window) -> npt.NDArray[Any] | None:
        try:
            data, causes = read_region(file, levels[level], window, (band,), caches[level])
        except ReadError:  # what is damaged there fails its own blocks, and the level may do without
            return None
        return data[0] if causes is None else None

    return read
