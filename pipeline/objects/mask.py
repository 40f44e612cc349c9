"""A mask of any size as blocks that are visited one after the other; what has no block is nodata."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.store.files import files_at
from pipeline.store.ledger import BlockPosition, Ledger
from pipeline.store.lifecycle import open_layer
from pipeline.store.reader import StoreLevel

Codes = npt.NDArray[np.unsignedinteger]
"""(rows, cols) class codes, uint8 or uint16."""

WORK_SIDE = 1024
"""Largest side of a block of work, px, unless a chunk is larger: its arrays take some 50 bytes per pixel."""


class Mask(Protocol):
    """A mask that is read by windows, such as a level of a store."""

    @property
    def height(self) -> int:
        """Rows, px."""

    @property
    def width(self) -> int:
        """Columns, px."""

    @property
    def nodata(self) -> int:
        """The code that is no class."""

    def read(self, window: Window, /) -> Codes:
        """(rows, cols) codes of a window inside the mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMask:
    """A layer of class codes of a store, as a mask."""

    level: StoreLevel
    layer: str
    """``mask`` or ``cleaned``."""

    @classmethod
    def of_level(cls, level: StoreLevel) -> LayerMask:
        """The codes that are counted: those that were cleaned, where a level has them, else the mask."""
        files, array = files_at(level.path), f"{level.level}/cleaned"
        is_cleaned = any(files.exists(f"{array}/{name}") for name in ("zarr.json", ".zarray"))
        return cls(level=level, layer="cleaned" if is_cleaned else "mask")

    @property
    def height(self) -> int:
        """Rows, px."""
        return self.level.grid.height

    @property
    def width(self) -> int:
        """Columns, px."""
        return self.level.grid.width

    @property
    def nodata(self) -> int:
        """The code that is no class."""
        return int(self.level.nodata)

    def read(self, window: Window, /) -> Codes:
        """(rows, cols) codes of a window inside the mask."""
        return np.asarray(open_layer(self.level.path, self.level.level, self.layer)[window.slices])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskBlocks:
    """A mask, and the squares of it that hold something."""

    mask: Mask
    side: int
    """Of a block, px; those at the far edges are clipped."""
    positions: npt.NDArray[np.int64]
    """(n, 2) row and col of each block in units of ``side``, in row-major order."""

    def __len__(self) -> int:
        return len(self.positions)

    def number(self, position: BlockPosition) -> int:
        """The place of a block in that order."""
        row_span = np.searchsorted(self.positions[:, 0], (position[0], position[0] + 1))
        return int(row_span[0] + np.searchsorted(self.positions[slice(*row_span), 1], position[1]))

    def window(self, position: BlockPosition) -> Window:
        """The pixels of a block."""
        rows, cols = (Span(index * self.side, (index + 1) * self.side) for index in position)
        return Window.of(rows.clip(self.mask.height), cols.clip(self.mask.width))

    def rows(self) -> Iterator[tuple[int, list[int]]]:
        """Each row of blocks, from the top: its index, and the columns of its blocks."""
        indices, starts = np.unique(self.positions[:, 0], return_index=True)
        for row, cols in zip(indices.tolist(), np.split(self.positions[:, 1], starts[1:]), strict=True):
            yield row, cols.tolist()


def mask_blocks(mask: Mask, side: int, positions: Iterable[BlockPosition] | None = None) -> MaskBlocks:
    """The blocks of a mask.

    Parameters
    ----------
    mask
        What is read.
    side
        Of a block, px.
    positions
        Blocks that hold something, in any order; by default all that the mask has.
    """
    if positions is None:
        shape = (-(-mask.height // side), -(-mask.width // side))
        ordered = np.stack(np.unravel_index(np.arange(math.prod(shape)), shape), axis=1)
    else:
        ordered = np.fromiter(positions, dtype=np.dtype((np.int64, 2)))
        ordered = ordered[np.lexsort((ordered[:, 1], ordered[:, 0]))]
    return MaskBlocks(mask=mask, side=side, positions=ordered)


def store_blocks(level: StoreLevel, mask: Mask | None = None, side: int | None = None) -> MaskBlocks:
    """The committed blocks of a level, each cut evenly into blocks of whole chunks.

    Parameters
    ----------
    level
        Of a store.
    mask
        What is read, where it is not the level's mask: another layer with the same blocks.
    side
        Of the blocks of work, px, into which those of the level are cut evenly; by default as `work_side` has it.
    """
    side = side or work_side(level.block, level.chunk)
    count = level.block // side
    mask = mask or LayerMask(level=level, layer="mask")
    cut = (
        (row * count + i, col * count + j)
        for row, col in Ledger(level.path, level.level).listed()
        for i in range(count)
        for j in range(count)
    )
    present = (at for at in cut if at[0] * side < mask.height and at[1] * side < mask.width)
    return mask_blocks(mask, side, present)


def work_side(block: int, chunk: int) -> int:
    """Side of the largest squares of whole chunks into which blocks are cut evenly, at most `WORK_SIDE` or a chunk."""
    sides = (block // count for count in range(1, block // chunk + 1) if block % count == 0)
    return next((side for side in sides if side % chunk == 0 and side <= max(WORK_SIDE, chunk)), chunk)
