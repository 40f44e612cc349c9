"""A mask of few bytes: eight pixels a byte."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MaskCells = npt.NDArray[np.bool_]
CellNumbers = npt.NDArray[np.int64]
"""Rows or columns of a mask; those below 0 or beyond its far edge are outside."""


@dataclass(frozen=True, eq=False, slots=True)
class PackedMask:
    """A mask in memory; its pixels are called cells, since each stands for many pixels of a raster."""

    bits: npt.NDArray[np.uint8]
    """(rows, ⌈cols / 8⌉), as `numpy.packbits` has them."""
    width: int
    """Columns."""

    @property
    def height(self) -> int:
        """Rows."""
        return len(self.bits)

    @classmethod
    def of(cls, mask: MaskCells) -> PackedMask:
        """From (rows, cols)."""
        return cls(np.packbits(mask, axis=1), mask.shape[1])

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> PackedMask:
        """From what `as_dict` made."""
        height, width = document["shape"]
        bits = np.frombuffer(zlib.decompress(base64.b64decode(document["bits"])), np.uint8)
        return cls(bits.reshape(height, -(-width // 8)), width)

    def as_dict(self) -> dict[str, Any]:
        """As plain values: its shape, and its bits as text."""
        bits = base64.b64encode(zlib.compress(self.bits.tobytes(), 9)).decode()
        return {"shape": [self.height, self.width], "bits": bits}

    def all(self) -> MaskCells:
        """(rows, cols) of all of it."""
        return np.unpackbits(self.bits, axis=1)[:, : self.width].view(bool)

    def take(self, rows: CellNumbers, cols: CellNumbers) -> MaskCells:
        """(rows, cols) of some rows and columns; False outside."""
        inside_rows, inside_cols = (rows >= 0) & (rows < self.height), (cols >= 0) & (cols < self.width)
        result = np.zeros((len(rows), len(cols)), dtype=bool)
        if not inside_rows.any() or not inside_cols.any():
            return result
        rows, cols = rows[inside_rows], cols[inside_cols]
        top, left = int(rows.min()), int(cols.min()) // 8
        part = np.unpackbits(self.bits[top : rows.max() + 1, left : cols.max() // 8 + 1], axis=1).view(bool)
        result[np.ix_(inside_rows, inside_cols)] = part[np.ix_(rows - top, cols - 8 * left)]
        return result

    def any_of_rows(self, rows: CellNumbers) -> MaskCells:
        """(width,) whether a column holds anything in some rows."""
        rows = np.unique(rows[(rows >= 0) & (rows < self.height)])
        line = np.bitwise_or.reduce(self.bits[rows], axis=0, initial=0)
        return np.unpackbits(line.astype(np.uint8))[: self.width].view(bool)

    def row_counts(self) -> CellNumbers:
        """(height,) cells of each row that are set."""
        counts: CellNumbers = np.bitwise_count(self.bits).sum(axis=1, dtype=np.int64)
        return counts
