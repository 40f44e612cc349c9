"""The normalisation of bands whose values nobody has said: mean and standard deviation of windows drawn as training draws them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.config import AugmentConfig
from pipeline.errors import SourceError
from pipeline.training.draw import Drawing

DRAWN = 64
"""Windows that are looked at."""
STILL = AugmentConfig(flip=False, turn=False, gain=0)


def measured(drawing: Drawing) -> dict[str, list[float]]:
    """Mean and standard deviation of each band over valid pixels, of four significant digits.

    Raises
    ------
    SourceError
        A band has the same value everywhere.
    """
    still = replace(drawing, how=drawing.how.model_copy(update={"augment": STILL, "balance": 0.0}))
    drawn = (still(number).pixels for number in range(DRAWN))
    pixels = np.concatenate([found.data[:, found.valid].astype(np.float64) for found in drawn], axis=1)
    mean, std = pixels.mean(1), pixels.std(1)
    if not std.all():
        band = int(np.argmin(std)) + 1
        raise SourceError(f"Band {band} of those read has one value in all windows looked at. Leave it out with source.bands, or give model.input.")
    return {"mean": [_digits(value) for value in mean], "std": [_digits(value) for value in std]}


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
