"""Rasters of noise in many places, and what GDAL makes of a whole one in one piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.sources import open_source
from pipeline.sources.regrid.regridded import Regridded

HEIGHT, WIDTH = 80, 96
UTM = Affine(10, 0, 500_000, 0, -10, 5_000_000)
SOUTH_UP = Affine(10, 0, 500_000, 0, 10, 5_000_000)
ROTATED = Affine.translation(500_000, 5_000_000) * Affine.rotation(33) * Affine.scale(10, -10)
DATELINE = Affine(1000, 0, 690_000, 0, -1000, 5_000_000)
WORLD = Affine(360 / WIDTH, 0, -180, 0, -165 / HEIGHT, 85)
WORLD_360 = Affine(360 / WIDTH, 0, 0, 0, -165 / HEIGHT, 85)
POLE = Affine(20_000, 0, -1_300_000, 0, -20_000, 1_100_000)


def noise(path: Path, crs: str = "EPSG:32633", transform: Affine = UTM, dtype: str = "uint16", **profile: Any) -> Path:
    """Two bands of noise, so that a pixel in a wrong place shows itself."""
    values = np.random.default_rng(0).integers(1, 60_000 if dtype != "uint8" else 255, (2, HEIGHT, WIDTH))
    shape: dict[str, Any] = {"height": HEIGHT, "width": WIDTH, "count": 2, "dtype": dtype, "crs": crs, **profile}
    tiles: dict[str, Any] = {"tiled": True, "blockxsize": 32, "blockysize": 32}
    with rasterio.open(path, "w", driver="GTiff", transform=transform, **tiles, **shape) as dataset:
        dataset.write(values.astype(dtype))
    return path


def regridded(path: Path, grid: dict[str, Any], resampling: str = "bilinear", **more: Any) -> Regridded:
    source = open_source(SourceConfig(path=str(path), grid=grid, resampling=resampling, **more))
    assert isinstance(source, Regridded)
    return source


def whole(source: Regridded) -> Pixels:
    return source.read(Window(row=0, col=0, height=source.grid.height, width=source.grid.width))


def in_one_piece(path: Path, source: Regridded, **options: Any) -> WarpedVRT:
    """The raster on the source's grid, warped by rasterio, with alpha as the last band."""
    scale = {"XSCALE": source.scale[0], "YSCALE": source.scale[1]}
    grid = source.grid
    return WarpedVRT(
        rasterio.open(path),
        crs=CRS.from_wkt(str(grid.wkt)),
        transform=Affine(*grid.transform),
        height=grid.height,
        width=grid.width,
        resampling=Resampling[source.resampling],
        tolerance=1e-45,
        add_alpha=True,
        **scale,
        **options,
    )


def windows(source: Regridded, count: int = 6, seed: int = 0) -> list[Window]:
    """Windows of any size, some of which reach beyond the grid."""
    rng, grid = np.random.default_rng(seed), source.grid
    rows, cols = (rng.integers(-9, length - 1, count).tolist() for length in (grid.height, grid.width))
    heights, widths = (rng.integers(1, length, count).tolist() for length in (grid.height, grid.width))
    return [Window(row=r, col=c, height=h, width=w) for r, c, h, w in zip(rows, cols, heights, widths, strict=True)]
