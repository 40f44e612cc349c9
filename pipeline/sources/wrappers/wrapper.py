"""Any source with something around its reads: all else is the source's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.geometry.grid import Grid
from pipeline.interfaces import Source


@dataclass(frozen=True, kw_only=True)
class SourceWrapper:
    """What a source says of itself. Whoever inherits reads in another way."""

    source: Source

    @property
    def grid(self) -> Grid:
        """Size and georeference."""
        return self.source.grid

    @property
    def bands(self) -> int:
        """Number of bands read."""
        return self.source.bands

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the raw pixels."""
        return self.source.dtype

    @property
    def block(self) -> tuple[int, int]:
        """(rows, cols) of the file's own blocks, px."""
        return self.source.block

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of how it is read."""
        return self.source.notes

    @property
    def rgb(self) -> tuple[int, ...]:
        """Which of the bands read are red, green and blue."""
        return self.source.rgb

    @property
    def open_files(self) -> int:
        """Bytes that the files of a mosaic take while they are open."""
        return self.source.open_files

    def identity(self) -> dict[str, Any]:
        """That of the source."""
        return self.source.identity()
