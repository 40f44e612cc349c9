"""The plane that holds the largest number of each pixel, in the memory of the process."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MAX_BYTE_CLASSES = 256
"""Classes that a byte counts."""


class WinnerScratch:
    """Memory of one strip, which is used for all of them."""

    def __init__(self, height: int, cols: int) -> None:
        self._best = np.empty((height, cols), dtype=np.float32)
        self._is_better = np.empty((height, cols), dtype=np.bool_)
        self._number = np.empty((height, cols), dtype=np.uint8)

    def find_winner(self, planes: npt.NDArray[np.float32], winner: npt.NDArray[np.uint8]) -> None:
        """Write the winner: a later class wins where it is larger, and its number is larger too.

        Parameters
        ----------
        planes
            (classes, rows, cols) of 2 to `MAX_BYTE_CLASSES` classes, and no more rows than the scratch has.
        winner
            (rows, cols). Of equals the lowest class is written, and the first NaN of a pixel that has any.
        """
        rows = planes.shape[1]
        best, is_better, number = self._best[:rows], self._is_better[:rows], self._number[:rows]
        np.greater(planes[1], planes[0], out=winner.view(np.bool_))
        np.maximum(planes[0], planes[1], out=best)
        for k, plane in enumerate(planes[2:], 2):
            np.greater(plane, best, out=is_better)
            np.multiply(is_better.view(np.uint8), np.uint8(k), out=number)
            np.maximum(winner, number, out=winner)
            np.maximum(best, plane, out=best)
        if np.isnan(best, out=is_better).any():  # NaN is larger than nothing by comparison
            np.copyto(winner, planes.argmax(0), casting="unsafe")
