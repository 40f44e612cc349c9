"""Pieces cut out of one raster, or written anywhere, and what a mosaic of them gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import from_origin

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source
from pipeline.sources import open_source
from tests import scenes

LEFT, TOP, SIZE = 500_000, 4_600_000, 10
QUARTERS = ((0, 0, 40, 50), (0, 45, 40, 45), (35, 0, 35, 50), (35, 45, 35, 45))
"""(row, col, height, width) of four overlapping pieces of 70 × 90 px."""


def piece(path: Path, data: np.ndarray, row: float = 0, col: float = 0, **profile: Any) -> Path:
    """A file whose corner lies so many pixels from a common one; ``date`` becomes its tag."""
    date = profile.pop("date", None)
    size = profile.pop("size", SIZE)
    place = from_origin(profile.pop("left", LEFT) + col * size, profile.pop("top", TOP) - row * size, size, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    scenes.write(path, data, **{"transform": place, "nodata": 0, **profile})
    if date is not None:
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(TIFFTAG_DATETIME=date)
    return path


def cut(folder: Path, data: np.ndarray, frames: Sequence[tuple[int, int, int, int]] = QUARTERS, **profile: Any) -> Path:
    """A folder with pieces of an array."""
    for k, (row, col, height, width) in enumerate(frames):
        piece(folder / f"p{k}.tif", data[:, row : row + height, col : col + width], row, col, **profile)
    return folder


def noise(height: int = 70, width: int = 90, seed: int = 0) -> np.ndarray:
    """Two bands of noise with a hole of nodata."""
    data = np.random.default_rng(seed).integers(1, 5000, (2, height, width)).astype("uint16")
    data[:, height // 4 : height // 4 + 6, width // 3 : width // 2] = 0
    return data


def mosaic(path: Path | str | list[str], **more: Any) -> Source:
    return open_source(SourceConfig(kind="mosaic", path=path if isinstance(path, list) else str(path), **more))


def whole(source: Source) -> Pixels:
    return source.read(Window(row=0, col=0, height=source.grid.height, width=source.grid.width))


def windows(source: Source, count: int = 15, seed: int = 1) -> list[Window]:
    """Some anywhere, also beyond the raster."""
    rng = np.random.default_rng(seed)
    limits = source.grid.height, source.grid.width
    corners = [[int(rng.integers(-12, limit)) for limit in limits] for _ in range(count)]
    sizes = rng.integers(1, 60, (count, 2)).tolist()
    return [Window(row=r, col=c, height=h, width=w) for (r, c), (h, w) in zip(corners, sizes, strict=True)]


def same_as_whole(source: Source, window: Window, pixels: Pixels) -> bool:
    """Whether a window has the valid pixels of the whole, and no others."""
    part = source.read(window)
    inside = window.clip(source.grid.height, source.grid.width)
    to = inside.index_in(window)
    valid = np.zeros(part.valid.shape, bool)
    valid[to] = pixels.valid[inside.slices]
    data = np.zeros_like(part.data)
    data[(slice(None), *to)] = pixels.data[(slice(None), *inside.slices)]
    return bool((part.valid == valid).all() and (part.data[:, valid] == data[:, valid]).all())
