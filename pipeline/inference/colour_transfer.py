"""Colours of one slide to those of another, pixel by pixel.

::

    colours ──► × before, + offset ──► ln ──► × matrix, + summand ──► exp ──► × after, − subtrahend ──► 0 to 255

Both methods of stains are of this form: with Macenko's the logarithm is minus the optical density, with Reinhard's that
of what the cones of an eye see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


Matrix = npt.NDArray[np.float64]
Rows = tuple[tuple[float, float, float], ...]
"""Three rows of a matrix, as plain values that compare and pickle."""
PIXELS_AT_ONCE = 2**16
"""Pixels that are changed at once, so that little is held beside a tile."""
WHITE = 255.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourTransfer:
    """A change of colours, of pixels of 0 to 255."""

    before: Rows
    offset: float
    least: float
    """What has a logarithm: smaller numbers count as this."""
    matrix: Rows
    summand: tuple[float, float, float]
    after: Rows
    subtrahend: float
    """What is subtracted at the end."""
    rgb: tuple[int, int, int]
    """Which of the bands, from 0, are red, green and blue."""
    record: dict[str, Any]
    """How the numbers were found, and the numbers, as plain values: what the fingerprint has."""
    provisional: bool = False
    """Never: they are had at once."""

    def apply_to(self, x: torch.Tensor) -> None:
        """Change (channels, rows, cols) float32 in place."""
        rows = max(PIXELS_AT_ONCE // x.shape[2], 1)
        for start in range(0, x.shape[1], rows):
            strip = x[:, start : start + rows]
            for band, changed in zip(self.rgb, self._changed([strip[band] for band in self.rgb]), strict=True):
                strip[band] = changed

    def _changed(self, colours: list[torch.Tensor]) -> list[torch.Tensor]:
        logs = [plane.add_(self.offset).clamp_(min=self.least).log_() for plane in _product(self.before, colours)]
        powers = [
            plane.add_(summand).exp_() for plane, summand in zip(_product(self.matrix, logs), self.summand, strict=True)
        ]
        return [plane.sub_(self.subtrahend).clamp_(0.0, WHITE).round_() for plane in _product(self.after, powers)]


def rows_of(matrix: Matrix) -> Rows:
    """A (3, 3) matrix as plain values."""
    return tuple((float(row[0]), float(row[1]), float(row[2])) for row in matrix)


def _product(matrix: Rows, planes: list[torch.Tensor]) -> list[torch.Tensor]:
    """A matrix times three planes, each sum in the same order, so that a pixel does not depend on its neighbours."""
    red, green, blue = planes
    return [red * row[0] + green * row[1] + blue * row[2] for row in matrix]
