"""Windows of the user's raster on which a network is looked at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from pipeline.protocols import Pixels, Source
from pipeline.raster.window import Window
from pipeline.stages.normalise import Normalisation, normalise

TRIES = 24
"""Places that are read before the best of them are taken."""
ENOUGH = 0.95
"""Share of valid pixels from which a place is taken at once."""

Place = tuple[torch.Tensor, npt.NDArray[np.bool_]]


def places(source: Source, how: Normalisation, device: torch.device, *, side: int, multiple: int, count: int, seed: int) -> list[Place]:
    """Normalised windows with their validity, those with the most valid pixels among a few at random.

    Parameters
    ----------
    source, how
        Raster and normalisation.
    device
        Where the network is.
    side
        Of a window, px; where the raster is smaller it is padded with invalid pixels.
    multiple
        Windows begin on multiples of this, as tiles do.
    count, seed
        How many, and of which draw.
    """
    rng = np.random.default_rng(seed)
    taken: list[tuple[float, int, Pixels]] = []
    rest: list[tuple[float, int, Pixels]] = []
    for _ in range(TRIES):
        row, col = (int(rng.integers(max(length - side, 0) // multiple + 1)) * multiple for length in (source.grid.height, source.grid.width))
        pixels = source.read(Window(row=row, col=col, height=side, width=side))
        share = float(pixels.valid.mean())
        (taken if share >= ENOUGH else rest).append((share, len(taken) + len(rest), pixels))
        if len(taken) == count:
            break
    best = (taken + sorted(rest, reverse=True, key=lambda found: found[:2]))[:count]
    return [(normalise(pixels.data, pixels.valid, how, device), pixels.valid) for share, _, pixels in best if share > 0 or not taken]
