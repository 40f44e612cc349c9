"""Tiles of a page: squares of 256 px of the raster's own pixels, at levels that each halve the one below."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window

TILE_PX = 256
"""Side of a tile, px."""
MAX_READ_BYTES = 64 * 2**20
"""What is read for one tile at most, bytes after decoding: of the source, and of a layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapTile:
    """One tile: level 0 is the full resolution."""

    level: int
    row: int
    """Position in the grid of tiles of its level."""
    col: int

    @property
    def step(self) -> int:
        """Pixels of the full resolution along a side of a pixel of the tile."""
        return 1 << self.level

    def window(self, grid: Grid) -> Window:
        """Its pixels at its own level, clipped to the raster; without pixels where it lies beyond."""
        square = Window(row=self.row * TILE_PX, col=self.col * TILE_PX, height=TILE_PX, width=TILE_PX)
        level = grid.level(self.level)
        return square.clip(level.height, level.width)


def tile_levels(grid: Grid) -> int:
    """Levels until one fits two tiles."""
    levels, side = 1, max(grid.height, grid.width)
    while side > 2 * TILE_PX:
        levels, side = levels + 1, -(-side // 2)
    return levels


def enlarged(window: Window, step: int, grid: Grid) -> Window:
    """The pixels of the full resolution that a window of a level covers, clipped to the raster."""
    return Window(
        row=window.row * step, col=window.col * step, height=window.height * step, width=window.width * step
    ).clip(grid.height, grid.width)
