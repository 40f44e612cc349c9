"""Which pixel of a mask each pixel of an image's level has: the one at its centre.

A level of the image whose pixels are those of a level of the store takes them as they are:

    image, level 1   |   ·   |   ·   |
    store, level 1   |   a   |   b   |      a, b
    image, level 0   | · | · | · | · |      a, a, b, b of a mask that was read at level 1 alone
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.exports.image_labels.target import LabelTarget
from pipeline.exports.layer_part import LayerPart
from pipeline.geometry.span import Span
from pipeline.store.ome_image import ImageLevel

TIE = 1e-6
"""Pixels by which rounding may move a centre that lies on an edge: it belongs to the pixel behind it."""

PixelIndices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisSampling:
    """One axis of a level of an image, on that of a level of a mask."""

    scale: float
    """Of a pixel of the image, px of the mask."""
    start: float
    """Edge of the first pixel of the image, px of the mask."""
    length: int
    """Of the mask, px."""
    end: float | None = None
    """Far edge of the mask, px of it, where the image counts from there; its last pixel may reach beyond it."""

    def positions(self, span: Span) -> PixelIndices:
        """Pixels of the mask under those of a span of the image; -1 where there is none."""
        centres = (np.arange(span.start, span.stop) + 0.5) * self.scale + self.start
        if self.end is not None:
            centres = self.end - centres
        positions = np.floor(centres + TIE).astype(np.int64)
        return np.where((positions >= 0) & (positions < self.length), positions, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSampling:
    """A level of an image on the level of a mask that is as coarse, or the next finer one."""

    mask_level: int
    rows: AxisSampling
    cols: AxisSampling


def level_sampling(target: LabelTarget, level: ImageLevel, part: LayerPart) -> LevelSampling:
    """The level of a store that a level of an image takes its pixels from, and which.

    Parameters
    ----------
    target
        The mask on its image.
    level
        Of the image.
    part
        All of the mask.
    """
    ratios = [side / step for side, step in zip(level.place.step, target.step, strict=True)]
    mask_level = max(k for k in range(part.spec.levels) if k == 0 or 2**k <= min(ratios) + TIE)
    rows, cols = (
        AxisSampling(
            scale=ratio / 2**mask_level,
            start=(corner - mask_corner) / (step * 2**mask_level),
            length=length,
            end=whole / 2**mask_level if is_flipped else None,
        )
        for ratio, corner, mask_corner, step, length, whole, is_flipped in zip(
            ratios,
            level.place.corner,
            target.corner,
            target.step,
            part.size(mask_level),
            part.size(0),
            target.flipped,
            strict=True,
        )
    )
    return LevelSampling(mask_level=mask_level, rows=rows, cols=cols)
