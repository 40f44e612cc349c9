"""Where a mask with a georeference lies on a raster."""

from __future__ import annotations

import numpy as np
from rasterio.transform import Affine, array_bounds
from rasterio.warp import Resampling, calculate_default_transform, reproject

from pipeline.geometry.grid import Grid
from pipeline.geometry.packed_mask import PackedMask
from pipeline.sources.only.mask_area import AxisMap

FINER = 2
"""Cells of the lattice per pixel of a mask that is warped, on each axis."""
SKEW = 0.01
"""Cells by which the far corner may be off where rows of the mask and of the raster are taken to be parallel."""


def parallel_axes(mask: Grid, grid: Grid) -> tuple[AxisMap, AxisMap] | None:
    """Which cells rows and columns of a raster lie in, in one CRS; None where the mask is turned."""
    to_cells = ~Affine(*mask.transform) * Affine(*grid.transform)
    if abs(to_cells.b) * grid.height + abs(to_cells.d) * grid.width > SKEW:
        return None
    return AxisMap(scale=to_cells.e, offset=to_cells.f), AxisMap(scale=to_cells.a, offset=to_cells.c)


def lattice_step(mask: Grid, grid: Grid) -> int:
    """Px of the raster per cell of the lattice that a mask in another CRS, or that is turned, is brought to."""
    bounds = array_bounds(mask.height, mask.width, Affine(*mask.transform))
    transform, _, _ = calculate_default_transform(mask.wkt, grid.wkt, mask.width, mask.height, *bounds)
    return max(int(abs(transform.a) / max(grid.pixel_size) / FINER), 1)


def coarser_grid(grid: Grid, step: int) -> Grid:
    """The grid of the raster with pixels of so many px."""
    a, b, c, d, e, f = grid.transform
    return Grid(
        height=-(-grid.height // step),
        width=-(-grid.width // step),
        transform=(a * step, b * step, c, d * step, e * step, f),
        wkt=grid.wkt,
    )


def warped_mask(mask: PackedMask, origin: Grid, target: Grid) -> PackedMask:
    """A mask on a lattice, by nearest neighbour."""
    cells = np.zeros((target.height, target.width), np.uint8)
    reproject(
        mask.all().astype(np.uint8),
        cells,
        src_transform=Affine(*origin.transform),
        src_crs=origin.wkt,
        dst_transform=Affine(*target.transform),
        dst_crs=target.wkt,
        resampling=Resampling.nearest,
    )
    return PackedMask.of(cells != 0)
