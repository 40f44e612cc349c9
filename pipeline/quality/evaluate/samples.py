"""Every n-th pixel of what is judged, so that a map of its errors takes little memory, whatever the store's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window

MAX_SAMPLED_SIDE = 800
"""Longest side of a map, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSamples:
    """Labels and what a layer holds at the pixels of a lattice; pieces are added as they are judged.

    One pixel stands for its square, so that the share of wrong ones estimates that of the whole.
    """

    window: Window
    """That is judged, px of the level."""
    step: int
    """Side of the square that a pixel stands for, px of the level."""
    label: npt.NDArray[Any]
    """(rows, cols); what was given for nothing where no label is."""
    layer: npt.NDArray[Any]
    """(rows, cols); the same where nothing was judged."""

    @classmethod
    def of_classes(cls, window: Window, classes: int, max_side: int | None = None) -> PairSamples:
        """Of indexes of classes, where those beyond all of them mean none."""
        return cls._filled(window, np.uint16(classes), max_side or MAX_SAMPLED_SIDE)

    @classmethod
    def of_numbers(cls, window: Window) -> PairSamples:
        """Of numbers, where NaN means none."""
        return cls._filled(window, np.float64(np.nan), MAX_SAMPLED_SIDE)

    def add(self, piece: Window, label: npt.NDArray[Any], layer: npt.NDArray[Any]) -> None:
        """Keep what lies on the lattice.

        Parameters
        ----------
        piece
            A part of the window.
        label, layer
            (rows, cols) of the piece.
        """
        down, right = piece.row - self.window.row, piece.col - self.window.col
        cut = slice(-down % self.step, None, self.step), slice(-right % self.step, None, self.step)
        row, col = -(-down // self.step), -(-right // self.step)
        height, width = label[cut].shape
        place = slice(row, row + height), slice(col, col + width)
        self.label[place], self.layer[place] = label[cut], layer[cut]

    @classmethod
    def _filled(cls, window: Window, nothing: np.generic, max_side: int) -> PairSamples:
        step = max(1, -(-max(window.height, window.width) // max_side))
        label, layer = (
            np.full((-(-window.height // step), -(-window.width // step)), nothing, nothing.dtype) for _ in range(2)
        )
        return cls(window=window, step=step, label=label, layer=layer)
