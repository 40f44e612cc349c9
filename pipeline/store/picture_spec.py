"""What the reduced picture of the source in a store is: its bands, its scale and its chunks.

One array lies below the leading layer, ``0/mask/picture``: (bands + 1, rows, cols), each pixel the mean of the valid
pixels of a square of the raster. Its last plane is the percentage of them that are valid, and 0 where nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.geometry.grid import Grid

COLOUR_RANGE = (0.0, 255.0)
"""Black and brightest of colours that are shown as they are."""
MAX_PICTURE_SIDE = 4096
"""Longest side of a picture, px."""
MAX_COPY = 2048
"""Longest side of a raster that is kept as it is, px: a picture of a larger one is reduced at least by 2."""
MAX_CHUNK = 512
"""Longest side of a chunk of a picture, px."""
SMALLEST_DIVISION = 64
"""A part is cut into chunks only where these have at least so many px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSpec:
    """Everything that decides the array of a picture."""

    bands: tuple[int, ...]
    """Which of the bands that the network reads, from 0: one, or red, green and blue."""
    scale: int
    """Side of the square of the raster that a pixel stands for, px."""
    dtype: str
    """That of the source where it has 8 or 16 bits, else float32."""
    chunk: int
    """Side of a chunk, px: no chunk holds pixels of two blocks."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PictureSpec:
        """From its plain values."""
        return cls(**{**values, "bands": tuple(values["bands"])})

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for the root of a store."""
        return {**asdict(self), "bands": list(self.bands)}

    @property
    def planes(self) -> int:
        """Its bands, and the plane that says what is valid."""
        return len(self.bands) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """What its bands are called: by their number among those that the network reads, from 1."""
        return tuple(f"band {band + 1}" for band in self.bands)

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(planes, rows, cols) of the picture of a raster of so many px."""
        return self.planes, -(-height // self.scale), -(-width // self.scale)

    def size(self, grid: Grid) -> int:
        """Bytes of the picture of a raster before compression."""
        return math.prod(self.shape(grid.height, grid.width)) * np.dtype(self.dtype).itemsize

    def attributes(self) -> dict[str, Any]:
        """What its array says of itself."""
        return {
            "long_name": f"means of {self.scale} x {self.scale} px of the source; last, percent of them that are valid",
            "bands": list(self.names),
            "scale": self.scale,
        }


def picture_layer(leading: str) -> str:
    """Name of the array of the picture, below that of the layer that leads a store."""
    return f"{leading}/picture"


def picture_scale(height: int, width: int, block: int) -> int | None:
    """The smallest scale at which a picture is small enough and no pixel of it lies in two blocks.

    Parameters
    ----------
    height, width
        Of the raster, px.
    block
        Side of a block, px.

    Returns
    -------
    int or None
        None where even one pixel a block would be too many.
    """
    longest = max(height, width)
    least = 1 if longest <= MAX_COPY else max(2, -(-longest // MAX_PICTURE_SIDE))
    if block >= longest:
        return least
    return next((scale for scale in range(least, block + 1) if block % scale == 0), None)


def picture_chunk(block: int, scale: int) -> int:
    """Side of a chunk of a picture, px: the part of a block, or a whole fraction of it where that is large."""
    part = -(-block // scale)
    sides = range(min(part, MAX_CHUNK), SMALLEST_DIVISION - 1, -1)
    return next((side for side in sides if part % side == 0), part)


def shows_colours(unit: str, dtype: str, bands: int) -> bool:
    """Whether three bands are colours as a microscope shows them: of 8 bits, with pixels of a size in µm.

    Bands of satellites have ranges of their own, and are seen when each is stretched.
    """
    return (unit, dtype, bands) == ("um", "uint8", 3)
