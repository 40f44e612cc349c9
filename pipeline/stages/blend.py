"""Overlapping tiles, weighted by tapers, added up and normalised by the exact sum of the weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from pipeline.plan.layout import Tile
from pipeline.raster.span import Span
from pipeline.raster.window import Window
from pipeline.tapers import Taper


class Accumulator:
    """The weighted sum over one block.

    The tiles come in the order of the raster's lattice, so that every pixel adds up the same numbers in the same order
    whatever block it is in.
    """

    def __init__(self, classes: int, window: Window, taper: Taper, device: torch.device) -> None:
        self._window = window
        self._taper = taper
        self._sum = torch.zeros((classes, window.height, window.width), dtype=torch.float32, device=device)
        self._rows: dict[Span, npt.NDArray[np.float32]] = {}
        self._cols: dict[Span, npt.NDArray[np.float32]] = {}

    def add(self, logits: torch.Tensor, tile: Tile) -> None:
        """Add what a tile says of its part of the block: (classes, rows, cols) float32 of ``tile.keep``."""
        rows = self._rows.setdefault(tile.read.rows, self._weights(tile.read.rows, tile.keep.rows))
        cols = self._cols.setdefault(tile.read.cols, self._weights(tile.read.cols, tile.keep.cols))
        weight = torch.from_numpy(np.outer(rows, cols)).to(self._sum.device)
        row, col = tile.keep.within(self._window)
        self._sum[:, row, col] += logits * weight

    def mean(self) -> torch.Tensor:
        """The blend, (classes, rows, cols) float32."""
        rows = self._total(self._rows, self._window.rows)
        cols = self._total(self._cols, self._window.cols)
        return self._sum / torch.from_numpy(np.outer(rows, cols)).to(self._sum.device)

    def _weights(self, read: Span, keep: Span) -> npt.NDArray[np.float32]:
        return self._taper(read.size)[keep.within(read)]

    @staticmethod
    def _total(weights: dict[Span, npt.NDArray[np.float32]], axis: Span) -> npt.NDArray[np.float32]:
        total = np.zeros(axis.size, dtype=np.float64)
        for read, weight in weights.items():
            keep = Span(max(read.start, axis.start), min(read.stop, axis.stop))
            total[keep.within(axis)] += weight
        return total.astype(np.float32)
