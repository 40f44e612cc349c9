"""Which pixels of a slide are read: those of a level, or those of a grid of so many µm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pipeline.geometry.grid import Grid, slide_px
from pipeline.sources.gdal.pixel_size import PixelSize
from pipeline.sources.slide_files.pyramid import Level, LevelAxis

CENTRE = 0.5
"""Share of a pixel that lies in the slide where its centre does."""
ROUNDING_PX = 1e-6
"""Pixels by which rounding may move a centre."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The pixels that are read, on level 0."""

    shape: tuple[int, int]
    """(rows, cols), px."""
    step: tuple[float, float]
    """(height, width) of a pixel, px of level 0."""
    corner: tuple[float, float] = (0.0, 0.0)
    """(row, col), px of level 0."""

    def grid(self, size: PixelSize | None) -> Grid:
        """In µm from the corner of level 0, or in its pixels where nobody knows how large these are."""
        height, width = (1.0, 1.0) if size is None else (size.height, size.width)
        (down, across), (top, left) = self.step, self.corner
        transform = (across * width, 0.0, left * width, 0.0, down * height, top * height)
        unit: Literal["px", "um"] = "px" if size is None else "um"
        rows, cols = self.shape
        return Grid(height=rows, width=cols, transform=transform, unit=unit, image_px=slide_px(self.step, self.corner))


def stored_pixels(level: Level) -> Sampling:
    """The pixels of a level."""
    rows, cols = level.rows, level.cols
    return Sampling(shape=level.shape, step=(rows.scale, cols.scale), corner=(rows.origin, cols.origin))


def sampled_at(mpp: float, level: Level, slide: tuple[int, int], size: PixelSize | None) -> Sampling:
    """The pixels of so many µm whose centres lie in the level, from the corner of level 0."""
    assert size is not None
    return sampled((mpp / size.height, mpp / size.width), (0.0, 0.0), level, slide)


def sampled(step: tuple[float, float], corner: tuple[float, float], level: Level, slide: tuple[int, int]) -> Sampling:
    """The pixels of so many px of level 0, from a corner, whose centres lie in the slide and in the level."""
    height, width = (
        _count(axis, length, pitch, edge)
        for axis, length, pitch, edge in zip((level.rows, level.cols), slide, step, corner, strict=True)
    )
    return Sampling(shape=(height, width), step=step, corner=corner)


def _count(axis: LevelAxis, slide: int, step: float, corner: float) -> int:
    """Pixels of an axis whose centres lie in the slide and in the level."""
    end = min(float(slide), axis.origin + axis.length * axis.scale) - corner
    return max(math.ceil(end / step - CENTRE - ROUNDING_PX), 1)
