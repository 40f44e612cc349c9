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
    from pipeline.sources.aoi.aoi import Area

TRIES = 24
"""Places that are read before the best of them are taken."""
PATIENCE = 480
"""Places that are read where none of them holds a pixel that counts, before it is given up."""
ENOUGH = 0.95
"""Share of valid pixels from which a place is taken at once."""

_Seen = tuple[float, int, Pixels, npt.NDArray[np.bool_]]
Place = tuple[torch.Tensor, npt.NDArray[np.bool_]]


def places(
    source: Source, how: Normalisation, device: torch.device, *, side: int, multiple: int, count: int, seed: int, area: Area | None = None,
    tries: int = TRIES, patience: int = PATIENCE,
) -> list[Place]:  # fmt: skip
    """Normalised windows and which of their pixels count, those with the most such pixels among a few at random; none where no pixel does.

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
    area
        What is asked for: then windows lie around it, and what lies outside does not count.
    tries, patience
        Places that are read before the best of them are taken; and where none of them holds a pixel that counts.
    """
    rng = np.random.default_rng(seed)
    taken: list[_Seen] = []
    rest: list[_Seen] = []
    for number in range(patience):
        if len(taken) == count or (number >= tries and taken + rest):
            break
        window = _window(source, area, side, multiple, rng)
        pixels = source.read(window)
        wanted = pixels.valid if area is None else pixels.valid & area.read(window)
        if wanted.any():
            (taken if wanted.mean() >= ENOUGH else rest).append((float(wanted.mean()), number, pixels, wanted))
    best = (taken + sorted(rest, reverse=True, key=lambda found: found[:2]))[:count]
    return [(normalise(torch.from_numpy(pixels.data), torch.from_numpy(pixels.valid), how, device), wanted) for _, _, pixels, wanted in best]


def _window(source: Source, area: Area | None, side: int, multiple: int, rng: np.random.Generator) -> Window:
    """Anywhere on the raster, or around a pixel of the area."""
    rows, cols = (max(length - side, 0) // multiple for length in (source.grid.height, source.grid.width))
    if area is None:
        row, col = (int(rng.integers(most + 1)) for most in (rows, cols))
    else:
        row, col = (min(max((at - side // 2) // multiple, 0), most) for at, most in zip(area.somewhere(rng), (rows, cols), strict=True))
    return Window(row=row * multiple, col=col * multiple, height=side, width=side)
