"""Class codes of a store by windows: of the layer that is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window
from pipeline.store.files import files_at
from pipeline.store.lifecycle import open_layer
from pipeline.store.reader import StoreLevel


@dataclass(frozen=True, slots=True)
class StoredCodes:
    """Class codes of a store: those that were cleaned, where it has them, else the mask."""

    level: StoreLevel
    layer: str

    @classmethod
    def of(cls, level: StoreLevel) -> StoredCodes:
        """The codes of a level."""
        files, array = files_at(level.path), f"{level.level}/cleaned"
        cleaned = any(files.exists(f"{array}/{name}") for name in ("zarr.json", ".zarray"))
        return cls(level, "cleaned" if cleaned else "mask")

    @property
    def height(self) -> int:
        """Rows, px."""
        return self.level.height

    @property
    def width(self) -> int:
        """Columns, px."""
        return self.level.width

    @property
    def nodata(self) -> int:
        """The code that is no class."""
        return int(self.level.nodata)

    def read(self, window: Window) -> npt.NDArray[np.unsignedinteger]:
        """(rows, cols) codes of a window inside the raster."""
        return np.asarray(open_layer(self.level.path, self.level.level, self.layer)[window.slices])
