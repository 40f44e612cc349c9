"""What the network sees: percentiles of each band, raw and normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipeline.inference.normalise import Normalisation, normalise
from pipeline.planning.first_config.network import CPU_DEVICE
from pipeline.preview.one_pass import WindowPixels

SHOWN_PERCENTILES = (2, 50, 98)
"""Of the valid pixels of the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandNumbers:
    """One band of the raster, or one channel that a transform makes."""

    name: str
    raw: tuple[float, ...]
    """By `SHOWN_PERCENTILES`; empty where a transform makes the channel of several bands, or no pixel is valid."""
    normalised: tuple[float, ...]
    """Likewise; empty for a band that a transform takes."""


def band_numbers(read: WindowPixels, normalisation: Normalisation, names: Sequence[str]) -> list[BandNumbers]:
    """Percentiles of every band before and after ``model.input``.

    Parameters
    ----------
    read
        Pixels of the window.
    normalisation
        As the network gets them.
    names
        Of the bands of the raster.
    """
    raw = percentiles(read.raw, read.valid)
    network_input = normalise(
        torch.from_numpy(np.ascontiguousarray(read.raw)), torch.from_numpy(read.valid), normalisation, CPU_DEVICE
    )
    normalised = percentiles(network_input[0].numpy(), read.valid)
    if normalisation.transform is None:
        return [
            BandNumbers(name=name, raw=before, normalised=after)
            for name, before, after in zip(names, raw, normalised, strict=True)
        ]
    bands = [BandNumbers(name=name, raw=before, normalised=()) for name, before in zip(names, raw, strict=True)]
    channels = (
        BandNumbers(name=f"channel {k} of the transform", raw=(), normalised=after)
        for k, after in enumerate(normalised, 1)
    )
    return [*bands, *channels]


def percentiles(data: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_]) -> list[tuple[float, ...]]:
    """Those of `SHOWN_PERCENTILES` of each band of (bands, rows, cols); none where no pixel is valid."""
    if not valid.any():
        return [()] * len(data)
    return [tuple(float(value) for value in np.percentile(band[valid], SHOWN_PERCENTILES)) for band in data]
