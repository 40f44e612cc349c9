"""A raster with everything that does not count: nodata, and NaN in one band."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests import scenes


def write_raster(folder: Path, dtype: str, **profile: Any) -> np.ndarray:
    """(3, 203, 331) with nodata and, of floats, NaN; writes it as the scene of a folder."""
    rng = np.random.default_rng(5)
    data = np.clip(rng.normal(90, 50, (3, 203, 331)), 1, 250)
    if dtype != "uint8":
        data = data * 37.3 - (2000 if dtype != "uint16" else 0)
    data = data.astype(dtype)
    data[:, 40:90, 100:180] = 0
    if dtype == "float32":
        data[1, 5, 7:30] = np.nan
    scenes.write(folder / "scene.tif", data, nodata=0, **profile)
    return data


def valid_values(data: np.ndarray) -> np.ndarray:
    """(3, n) float64: values of pixels that are not nodata in all bands, nor NaN in any."""
    return data[:, ~(data == 0).all(0) & np.isfinite(data).all(0)].astype(float)
