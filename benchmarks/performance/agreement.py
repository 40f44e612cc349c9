"""Labels of a run beside those of one forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import zarr
from rasterio.windows import Window


def agreement(mask: Path, reference: dict[str, Any]) -> dict[str, int]:
    """How many labels differ, those at ties apart.

    Parameters
    ----------
    mask
        A GeoTIFF, or a Zarr array (rows, cols).
    reference
        What `reference.measure` said.
    """
    labels, ties = np.load(reference["labels"], mmap_mode="r"), np.load(reference["ties"], mmap_mode="r")
    window = Window(reference["col"], reference["row"], reference["width"], reference["height"])
    differ = read(mask, window) != labels
    return {"pixels": differ.size, "differ": int((differ & ~ties).sum()), "ties": int((differ & ties).sum())}


def read(mask: Path, window: Window) -> np.ndarray:
    """(rows, cols) of a part of a mask."""
    if mask.suffix == ".tif":
        with rasterio.open(mask) as src:
            return np.asarray(src.read(1, window=window))
    return np.asarray(zarr.open_array(mask, mode="r")[window.toslices()])
