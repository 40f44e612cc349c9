"""Windows of the user's raster on which a network is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from pipeline.geometry.window import Window
from pipeline.inference.normalise import Normalisation, normalise
from pipeline.interfaces import Pixels, Source

if TYPE_CHECKING:
    from pipeline.sources.only.area import RequestedArea

WINDOW_TRIES = 24
"""Places that are read before the best of them are taken."""
EMPTY_RASTER_TRIES = 480
"""Places that are read where none of them holds a pixel that counts, before it is given up."""
ENOUGH = 0.95
"""Share of valid pixels from which a place is taken at once."""

_Candidate = tuple[float, int, Pixels, npt.NDArray[np.bool_]]
ProbeWindow = tuple[torch.Tensor, npt.NDArray[np.bool_]]


def probe_windows(
    source: Source,
    normalisation: Normalisation,
    device: torch.device,
    *,
    side: int,
    multiple: int,
    count: int,
    seed: int,
    area: RequestedArea | None = None,
    tries: int = WINDOW_TRIES,
    patience: int = EMPTY_RASTER_TRIES,
) -> list[ProbeWindow]:
    """Normalised windows and which of their pixels count, those with the most such pixels among a few at random.

    None where no pixel does.

    Parameters
    ----------
    source, normalisation
        Raster and normalisation.
    device
        Where the network is.
    side
        Of a window, px; where the raster is smaller it is padded with invalid pixels.
    multiple
        Windows begin on multiples of this, as tiles do.
    count, seed
        How many, and of which draw.
    area
        What is asked for: then windows lie around it, and what lies outside does not count.
    tries, patience
        Places that are read before the best of them are taken; and where none of them holds a pixel that counts.
    """
    rng = np.random.default_rng(seed)
    accepted: list[_Candidate] = []
    rest: list[_Candidate] = []
    for number in range(patience):
        if len(accepted) == count or (number >= tries and accepted + rest):
            break
        window = _window(source, area, side, multiple, rng)
        pixels = source.read(window)
        counted = pixels.valid if area is None else pixels.valid & area.read(window)
        if counted.any():
            (accepted if counted.mean() >= ENOUGH else rest).append((float(counted.mean()), number, pixels, counted))
    best = (accepted + sorted(rest, reverse=True, key=lambda candidate: candidate[:2]))[:count]
    return [
        (normalise(torch.from_numpy(pixels.data), torch.from_numpy(pixels.valid), normalisation, device), counted)
        for _, _, pixels, counted in best
    ]


def _window(source: Source, area: RequestedArea | None, side: int, multiple: int, rng: np.random.Generator) -> Window:
    """Anywhere on the raster, or around a pixel of the area."""
    rows, cols = (max(length - side, 0) // multiple for length in (source.grid.height, source.grid.width))
    if area is None:
        row, col = (int(rng.integers(last + 1)) for last in (rows, cols))
    else:
        row, col = (
            min(max((at - side // 2) // multiple, 0), last)
            for at, last in zip(area.random_pixel(rng), (rows, cols), strict=True)
        )
    return Window(row=row * multiple, col=col * multiple, height=side, width=side)
