"""What one pass gave, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipeline.inference.normalise import normalise
from pipeline.inference.recipe import Recipe
from pipeline.inspect.plausibility import TrialImage, median_warning
from pipeline.planning.first_config.network import CPU_DEVICE
from pipeline.preview.one_pass import WindowPixels
from pipeline.runtime.transfer.base import Arrays
from pipeline.store.spec import ClassRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassShare:
    """One class in the window."""

    name: str
    color: str
    """#rrggbb."""
    share: float
    """Of the pixels with a class."""
    confidence: float | None
    """Mean, from 0 to 1; None where the class has no pixel."""


def class_shares(arrays: Arrays, rows: tuple[ClassRow, ...], recipe: Recipe) -> list[ClassShare]:
    """Every class with its share of the window, in the order of the class table."""
    mask, confidence = arrays["mask"], arrays["confidence"]
    total = max(int((mask != recipe.nodata).sum()), 1)
    return [
        ClassShare(
            name=row.name,
            color=row.color,
            share=float((mask == row.code).sum() / total),
            confidence=mean_confidence(confidence, mask == row.code),
        )
        for row in rows
    ]


def mean_confidence(confidence: npt.NDArray[np.uint8], where: npt.NDArray[np.bool_]) -> float | None:
    """From 0 to 1; None where there is no pixel."""
    return float(confidence[where].mean() / 255) if where.any() else None


def window_warnings(read: WindowPixels, recipe: Recipe, shares: list[ClassShare]) -> list[str]:
    """What does not look right in the window, a sentence each."""
    if not read.valid.any():
        return ["no pixel of the window is valid: choose another window by --at or --pixel, or look at source.nodata"]
    if not read.requested.any():
        return ["no valid pixel of the window is asked for: choose a window in the area by --at or --pixel"]
    image = normalise(
        torch.from_numpy(np.ascontiguousarray(read.raw)), torch.from_numpy(read.valid), recipe.normalisation, CPU_DEVICE
    )
    sample = TrialImage(image=image, counts=torch.from_numpy(read.requested))
    far = median_warning(sample, recipe.normalisation, read.raw.dtype)
    warnings = [] if far is None else [far]
    present = [row.name for row in shares if row.share]
    if len(present) == 1:
        warnings.append(
            f"all pixels get the class {present[0]}. Look at another window, and check model.input and the order of "
            f"source.bands against the network's training"
        )
    return warnings
