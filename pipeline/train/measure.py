"""The normalisation of bands whose values nobody has said: mean and standard deviation of windows drawn as training draws them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pipeline.config import AugmentConfig
from pipeline.errors import SourceError
from pipeline.inference.normalise import pooled
from pipeline.train.dataset import WindowSampler

SAMPLED_WINDOWS = 64
"""Windows that are looked at."""
NO_AUGMENTATION = AugmentConfig(flip=False, turn=False, gain=0)


def measure_normalisation(sampler: WindowSampler) -> dict[str, list[float]]:
    """Mean and standard deviation of each band over valid pixels, to a hundredth or less of the standard deviation.

    Raises
    ------
    SourceError
        A band has the same value everywhere.
    """
    unaugmented = replace(sampler, training=sampler.training.model_copy(update={"augment": NO_AUGMENTATION, "balance": 0.0}))
    windows = (unaugmented(number).pixels for number in range(SAMPLED_WINDOWS))
    parts = [(pixels.shape[1], pixels.mean(1), pixels.var(1)) for pixels in (window.data[:, window.valid].astype(np.float64) for window in windows)]
    counts, means, variances = (np.array(part) for part in zip(*parts, strict=True))
    mean, std = pooled(counts, means, variances)
    if not std.all():
        band = int(np.argmin(std)) + 1
        raise SourceError(f"Band {band} of those read has one value in all windows looked at. Leave it out with source.bands, or give model.input.")
    digits = [2 - math.floor(math.log10(value)) for value in std]
    return {name: [round(float(value), decimals) for value, decimals in zip(values, digits, strict=True)] for name, values in (("mean", mean), ("std", std))}
