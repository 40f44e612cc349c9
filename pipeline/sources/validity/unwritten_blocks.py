"""Blocks of a TIFF that were never written: the file has no place for them, and readers fill them with zeros."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import Interleaving
from rasterio.io import DatasetReader

MAX_BLOCKS_READ = 4096
"""Blocks that are looked at for their share; where there are more, evenly chosen ones stand for them."""


@dataclass(frozen=True, kw_only=True)
class Unwritten:
    """What a TIFF says of where its blocks lie. Belongs to the handle, and so to one thread."""

    dataset: DatasetReader

    def marks(self, band: int, frame: Any) -> npt.NDArray[np.bool_] | None:
        """(rows, cols) of a window, True where a band was never written; None where all of it was."""
        if not self._readable:
            return None
        rows, cols = self.dataset.block_shapes[band - 1]
        top, left = frame.row_off // rows, frame.col_off // cols
        missing = np.array(
            [
                [
                    self._missing(self._plane(band), row, col)
                    for col in range(left, -(-(frame.col_off + frame.width) // cols))
                ]
                for row in range(top, -(-(frame.row_off + frame.height) // rows))
            ]
        )
        if not missing.any():
            return None
        marks = np.repeat(np.repeat(missing, rows, axis=0), cols, axis=1)
        return marks[frame.row_off - top * rows :, frame.col_off - left * cols :][: frame.height, : frame.width]

    def share(self, bands: tuple[int, ...]) -> float:
        """Blocks that were never written, as a share of all blocks of some bands."""
        if not self._readable:
            return 0.0
        planes = sorted({self._plane(band) for band in bands})
        rows, cols = self._shape
        count = len(planes) * rows * cols
        chosen = (
            range(count)
            if count <= MAX_BLOCKS_READ
            else (np.arange(MAX_BLOCKS_READ) * count // MAX_BLOCKS_READ).tolist()
        )
        return sum(self._missing(planes[k // (rows * cols)], k // cols % rows, k % cols) for k in chosen) / len(chosen)

    def _plane(self, band: int) -> int:
        """The band whose blocks hold a band: pixels of all bands may lie together."""
        return 1 if self.dataset.interleaving is Interleaving.pixel else band

    def _missing(self, band: int, row: int, col: int) -> bool:
        return self.dataset.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=band) is None

    @property
    def _shape(self) -> tuple[int, int]:
        rows, cols = self.dataset.block_shapes[0]
        return -(-self.dataset.height // rows), -(-self.dataset.width // cols)

    @cached_property
    def _readable(self) -> bool:
        """Whether blocks can be told apart.

        GDAL reads a large strip row by row, and then knows of as many rows as there are strips, one a band.
        """
        if self.dataset.driver != "GTiff":
            return False
        count, strips = self._shape[0], self.dataset.count
        single = self.dataset.block_shapes[0][0] == 1 and count > strips and not self._missing(1, 0, 0)
        return not single or not all(self._missing(1, row, 0) for row in range(strips, count))
