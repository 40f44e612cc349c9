"""The lattice of cells in which a pass counts a raster: it follows from the raster alone.

::

    |-------cell 0-------|-------cell 1-------|--2--|
    |ssssssssssssssssssss|                              a cell is read by strips s, whole blocks of the file high
    |ssssssssssssssssssss|
    |-------cell 3-------|-------cell 4-------|--5--|

Neither memory, nor workers, nor the tiles of a job change it, so that sums are added in one order everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.geometry.span import round_down
from pipeline.geometry.window import Window

CELL_PX = 2**24
"""Pixels of a cell, about: what is counted again after a kill, at most, by each worker."""
CELL_SIDE = 2**12
"""Columns of a cell, px, unless the blocks of the file are wider."""
READ_BYTES = 2**24
"""Raw pixels that are read at once, about, bytes; and no more pixels than `READ_PX`."""
READ_PX = 2**20
BLOCK_ROW_BYTES = 2**28
"""Of one row of the file's blocks in a cell; where it has more, strips cut through blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLattice:
    """Cells in rows, from the upper left corner of a raster."""

    height: int
    """Of the raster, px."""
    width: int
    rows: int
    """Of a cell, px."""
    cols: int
    strip: int
    """Rows that are read at once, px."""

    @classmethod
    def of_raster(cls, height: int, width: int, block: tuple[int, int], pixel_bytes: int) -> CellLattice:
        """The lattice of a raster.

        Parameters
        ----------
        height, width
            Of the raster, px.
        block
            (rows, cols) of the file's own blocks, px.
        pixel_bytes
            Of all bands of one pixel.
        """
        block_rows, block_cols = block
        fitting = round_down(min(CELL_SIDE, BLOCK_ROW_BYTES // (pixel_bytes * block_rows)), block_cols)
        cols = min(max(fitting, block_cols), width)
        unit = block_rows if block_rows * cols * pixel_bytes <= BLOCK_ROW_BYTES else 1
        strip = max(min(READ_BYTES // pixel_bytes, READ_PX) // (cols * unit), 1) * unit
        return cls(height=height, width=width, rows=max(CELL_PX // (cols * strip), 1) * strip, cols=cols, strip=strip)

    @property
    def count(self) -> int:
        """Number of cells."""
        return -(-self.height // self.rows) * self._across

    @property
    def strip_px(self) -> int:
        """Pixels of the largest strip."""
        return min(self.strip, self.height) * self.cols

    def window(self, index: int) -> Window:
        """Pixels of a cell; cells are counted row by row."""
        row, col = (
            place * side for place, side in zip(divmod(index, self._across), (self.rows, self.cols), strict=True)
        )
        return Window(
            row=row, col=col, height=min(self.rows, self.height - row), width=min(self.cols, self.width - col)
        )

    def strips(self, index: int) -> Iterator[Window]:
        """The parts of a cell that are read one after the other."""
        cell = self.window(index)
        for top in range(0, cell.height, self.strip):
            height = min(self.strip, cell.height - top)
            yield Window(row=cell.row + top, col=cell.col, height=height, width=cell.width)

    @property
    def _across(self) -> int:
        return -(-self.width // self.cols)
