"""The levels of a slide: where each lies on level 0, and which of them a run reads.

A scanner makes a level by joining whole squares of d × d pixels, and leaves out what is no whole square, or it brings
the whole of level 0 to another size. The sizes of both may be the same, and the pixels lie elsewhere::

    level 0         |   |   |   |   |   |   |   |   |   |     9 px
    whole squares   |       |       |       |       |         4 px of 2 px, 1 px left out
    brought to size |        |        |        |        |     4 px of 2.25 px
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.geometry.resampling import Axis
from pipeline.sources.gdal.pixel_size import PixelSize

MPP_TOLERANCE = 1e-3
"""Share by which a level may be coarser than what is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAxis:
    """One axis of a level, laid on level 0."""

    length: int
    """Of the level, px."""
    scale: float
    """Length of a pixel of the level, px of level 0."""
    origin: float = 0.0
    """Place of the level's first edge, px of level 0."""

    def target(self, step: float, corner: float) -> Axis:
        """The level on a grid that begins at a corner, whose pixels are so long, both px of level 0."""
        return Axis(length=self.length, start=(corner - self.origin) / self.scale, step=step / self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a slide."""

    index: int
    """From 0, the finest."""
    rows: LevelAxis
    cols: LevelAxis
    tile: tuple[int, int]
    """(rows, cols) of what is decoded at once, px."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols), px."""
        return self.rows.length, self.cols.length


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTile:
    """Pixels that were decoded at once."""

    data: npt.NDArray[Any]
    """(bands, rows, cols), inside the level."""
    causes: npt.NDArray[np.uint8] | None = None
    """(rows, cols) codes of `CAUSES`; None where all is valid."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.data.nbytes + (0 if self.causes is None else self.causes.nbytes)


class SlideFile(Protocol):
    """An open slide. Safe from many threads."""

    @property
    def bands(self) -> int:
        """Number of bands, alpha counted."""

    @property
    def alpha(self) -> int | None:
        """The band that is alpha, from 0; None where there is none, or where it is no band."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""

    @property
    def shapes(self) -> Sequence[tuple[int, int]]:
        """(rows, cols) of each level, px, the finest first."""

    @property
    def files(self) -> Sequence[str]:
        """Paths of all files that hold it."""

    @property
    def notes(self) -> Sequence[str]:
        """What is left out of the file, in words."""

    @property
    def rgb(self) -> bool:
        """Whether its bands are red, green and blue."""

    @property
    def stated_size(self) -> PixelSize | None:
        """What the file says of a pixel of level 0, plausible or not; None where it says nothing."""

    @property
    def header_bytes(self) -> int:
        """Bytes that it holds while it is open, beside decoded tiles."""

    @property
    def changes(self) -> Sequence[str]:
        """Which of its planes are read, and how numbers are changed, for the identity; nothing of most slides."""

    @property
    def folding_bytes(self) -> int:
        """Bytes that a pixel takes while planes become one; 0 where none do."""

    def tile_shape(self, level: int) -> tuple[int, int]:
        """(rows, cols) of a tile, px."""

    def read_tile(self, level: int, row: int, col: int, bands: Sequence[int]) -> StoredTile:
        """Decode a tile by its place among tiles; bands count from 0.

        Pixels are invalid that were never scanned, or that alpha hides unless it is asked for as a band. Raises
        ReadError.
        """

    def is_exact(self, level: int) -> bool:
        """Whether the pixels of a level come as they are stored, whatever window is asked for."""

    def close(self) -> None:
        """Give the handles back."""


def whole_squares(length: int, level: int) -> int | None:
    """Side of the squares of level 0 that pixels of a level are; None where the sizes allow none.

    Parameters
    ----------
    length, level
        Of one axis, on level 0 and on the level, px.
    """
    side = round(length / level)
    return side if abs(length - side * level) < side else None


def axes_by_size(slide: tuple[int, int], level: tuple[int, int]) -> tuple[LevelAxis, LevelAxis]:
    """Where a level lies, by its size alone: of whole squares where both axes allow one side, else brought to size."""
    sides = {whole_squares(length, size) for length, size in zip(slide, level, strict=True)}
    side = sides.pop() if len(sides) == 1 else None
    rows, cols = (
        LevelAxis(length=size, scale=length / size if side is None else float(side))
        for length, size in zip(slide, level, strict=True)
    )
    return rows, cols


def coarsest_level(levels: Sequence[Level], sizes: tuple[float, float], mpp: float) -> Level:
    """The coarsest level whose pixels are no larger than what is asked for; the finest where all are.

    Parameters
    ----------
    levels
        The finest first.
    sizes
        (height, width) of a pixel of level 0, µm.
    mpp
        What is asked for, µm.
    """
    fitting = [
        level
        for level in levels
        if max(level.rows.scale * sizes[0], level.cols.scale * sizes[1]) <= mpp * (1 + MPP_TOLERANCE)
    ]
    return max(fitting, key=lambda level: level.rows.scale, default=levels[0])


def levels_by_size(file: SlideFile) -> list[Level]:
    """All levels of a slide, the finest first, where their sizes say that they lie."""
    slide, levels = file.shapes[0], []
    for index, shape in enumerate(file.shapes):
        rows, cols = axes_by_size(slide, shape)
        levels.append(Level(index=index, rows=rows, cols=cols, tile=file.tile_shape(index)))
    return levels
