"""The image of any other source: the full resolution is read, and pixels of it are taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.geometry.window import Window
from pipeline.interfaces import Source
from pipeline.sources.band_tags import read_band_tags
from pipeline.viewer.image import ImagePart
from pipeline.viewer.tile_grid import MAX_READ_BYTES, TILE_PX, MapTile, enlarged

DIAGONAL_PLACES = 4
"""Places along the diagonal from which a sample is taken."""


class SourceImage:
    """A source without overviews of its own. Safe from many threads, as sources are."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands where there are some, else their numbers."""
        return tuple(name or f"band {i}" for i, name in enumerate(read_band_tags(self.source).names, 1))

    def read(self, tile: MapTile, bands: Sequence[int]) -> ImagePart | None:
        """Bands of a tile; None where that would take too much. Raises ReadError where it cannot be read."""
        window = enlarged(tile.window(self.source.grid), tile.step, self.source.grid)
        if self._bytes(window) > MAX_READ_BYTES:
            return None
        pixels = self.source.read(window)
        every = slice(None, None, tile.step)
        return ImagePart(planes=pixels.data[list(bands), every, every], valid=pixels.valid[every, every])

    def sample(self, band: int) -> ImagePart:
        """Squares along the diagonal."""
        grid = self.source.grid
        places = [
            Window(row=int(row), col=int(col), height=TILE_PX, width=TILE_PX)
            for row, col in zip(
                *(np.linspace(0, max(n - TILE_PX, 0), DIAGONAL_PLACES) for n in (grid.height, grid.width)), strict=True
            )
        ]
        affordable = max(MAX_READ_BYTES // max(self._bytes(places[0]), 1), 1)
        parts = [self.source.read(place) for place in places[:affordable]]
        return ImagePart(
            planes=np.concatenate([part.data[[band]] for part in parts], axis=2),
            valid=np.concatenate([part.valid for part in parts], axis=1),
        )

    def _bytes(self, window: Window) -> int:
        """What decoding the blocks of a window takes."""
        rows, cols = (
            span.align(side) for span, side in zip((window.rows, window.cols), self.source.block, strict=True)
        )
        return rows.size * cols.size * self.source.bands * self.source.dtype.itemsize
