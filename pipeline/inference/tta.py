"""Test-time augmentation: the image turned and mirrored, and what the network says of it turned back."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Symmetry:
    """One symmetry of the square: first rows and cols may change places, then either may be reversed."""

    transposed: bool = False
    rows: bool = False
    """Whether the rows are reversed."""
    cols: bool = False
    """Whether the cols are reversed."""

    @property
    def _reversed(self) -> list[int]:
        return [axis for axis, reverse in ((2, self.rows), (3, self.cols)) if reverse]

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bands, rows, cols) as the network is to see it."""
        transformed = x.transpose(2, 3) if self.transposed else x
        return transformed.flip(self._reversed) if self._reversed else transformed

    def invert(self, y: torch.Tensor) -> torch.Tensor:
        """(n, classes, rows, cols) of a turned image as of the image itself."""
        transformed = y.flip(self._reversed) if self._reversed else y
        return transformed.transpose(2, 3) if self.transposed else transformed


FLIPS = tuple(Symmetry(rows=rows, cols=cols) for rows, cols in product((False, True), repeat=2))
TTA_GROUPS: dict[str, tuple[Symmetry, ...]] = {
    "none": FLIPS[:1],
    "flips": FLIPS,
    "dihedral": FLIPS + tuple(Symmetry(transposed=True, rows=turn.rows, cols=turn.cols) for turn in FLIPS),
}
"""What ``tile.augment`` may say: the image itself comes first, and the order is fixed, so that sums are."""
