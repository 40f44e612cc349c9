"""Raw pixels to a network's input, in the memory of the process and without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.inference.normalise import Normalisation, Stretch
from pipeline.models.array_network import ImageArray


def normalise_array(
    data: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None, normalisation: Normalisation
) -> ImageArray:
    """Normalise one tile; invalid pixels become 0. Bit for bit what `pipeline.inference.normalise.normalise` gives.

    Parameters
    ----------
    data
        (bands, rows, cols), any integer or float dtype.
    valid
        (rows, cols) bool; None where all are.
    normalisation
        Without a transform, and without colours of stains.

    Returns
    -------
    array
        (1, channels, rows, cols) float32.
    """
    x = data.astype(np.float32, order="C")  # runtimes take no other order
    if isinstance(normalisation.stretch, Stretch):
        _stretch(x, normalisation.stretch)
    if normalisation.repeats > 1:
        x = np.tile(x, (normalisation.repeats, 1, 1))
    numbers = zip(normalisation.scale, normalisation.offset, normalisation.mean, normalisation.std, strict=True)
    for band, (scale, offset, mean, std) in zip(x, numbers, strict=True):
        for apply, operand, neutral in (
            (np.multiply, scale, 1),
            (np.add, offset, 0),
            (np.subtract, mean, 0),
            (np.divide, std, 1),
        ):
            if operand != neutral:
                apply(band, np.float32(operand), out=band)
    if valid is not None:
        np.copyto(x, 0, where=~valid)
    return x[None]


def _stretch(x: ImageArray, stretch: Stretch) -> None:
    for band, shift, span in zip(x, stretch.shift, stretch.span, strict=True):
        np.subtract(band, np.float32(shift), out=band)
        np.divide(band, np.float32(span), out=band)
    if stretch.clip:
        np.clip(x, 0, 1, out=x)
