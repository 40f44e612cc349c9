"""A mask picture as an area: PNG, TIFF or whatever GDAL opens, of any resolution; what is not 0 is asked for."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow

from pipeline.errors import SourceError
from pipeline.geometry.crs import crs_mismatch_error, same_crs
from pipeline.geometry.grid import Grid
from pipeline.geometry.packed_mask import MaskCells, PackedMask
from pipeline.sources.gdal.georeference import grid_of
from pipeline.sources.gdal.opening import last_line
from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.only.mask_area import AxisMap, MaskArea
from pipeline.sources.only.mask_georeference import coarser_grid, lattice_step, parallel_axes, warped_mask

MAX_MASK_PX = 2**28
"""Pixels of a mask, at most: 32 MiB in memory."""
_STRIP_PX = 2**22
"""Pixels of a mask that are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFile:
    """A mask picture, read once per process."""

    path: str
    digest: str
    target: Grid | None = None
    """The lattice that it is warped to, where it lies otherwise than the raster; None where it does not."""

    @property
    def description(self) -> str:
        """The mask, for messages."""
        return f"The pixels of source.only, {mask_urls(self.path)}"

    @property
    def place(self) -> str:
        """Its path."""
        return self.path

    @property
    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()

    def packed(self) -> PackedMask:
        """The mask. Raises SourceError where the file is gone, or another one."""
        return _packed(self)


def open_mask(path: str, grid: Grid) -> MaskArea:
    """Lay a mask picture over a raster.

    A mask with a CRS lies where its georeference says, any other over all of the raster.

    Parameters
    ----------
    path
        A path, a URL, or one of GDAL's names.
    grid
        Of the raster.

    Raises
    ------
    SourceError
        It is missing, unreadable, empty or too large, has another shape than the raster, or has a CRS where that has
        none.
    """
    with _opened(path) as dataset:
        mask = _read(dataset, path)
        digest, place = _digest(mask, dataset), None if dataset.crs is None else grid_of(dataset)
    if not mask.bits.any():
        raise SourceError(
            f"The mask of source.only {mask_urls(path)} has no pixel other than 0, so that there is nothing to infer. "
            f"Give a mask whose pixels are not 0 where the raster is asked for."
        )
    if place is not None:
        return _georeferenced(path, digest, place, grid)
    _check_aspect(path, mask, grid)
    rows, cols = AxisMap(scale=mask.height / grid.height), AxisMap(scale=mask.width / grid.width)
    return _area(MaskFile(path=path, digest=digest), grid, rows, cols)


def _georeferenced(path: str, digest: str, mask: Grid, grid: Grid) -> MaskArea:
    """A mask that lies where its georeference says."""
    if grid.wkt is None:
        raise crs_mismatch_error(f"The pixels of source.only, {mask_urls(path)},", True, SourceError)
    if same_crs(mask.wkt, grid.wkt) and (axes := parallel_axes(mask, grid)) is not None:
        return _area(MaskFile(path=path, digest=digest), grid, *axes)
    step = lattice_step(mask, grid)
    target = coarser_grid(grid, step)
    _check_size(path, target.height, target.width)
    axis = AxisMap(scale=1 / step)
    return _area(MaskFile(path=path, digest=digest, target=target), grid, axis, axis)


def _area(origin: MaskFile, grid: Grid, rows: AxisMap, cols: AxisMap) -> MaskArea:
    return MaskArea(origin=origin, height=grid.height, width=grid.width, rows=rows, cols=cols)


def _opened(path: str) -> DatasetReader:
    try:
        return rasterio.open(path)
    except (RasterioError, OSError) as error:
        raise SourceError(
            f"The mask of source.only {mask_urls(path)} cannot be opened: {last_line(error)}. Give tissue, polygons as "
            f"GeoJSON or GeoPackage, or a picture such as PNG or TIFF, whose pixels other than 0 are asked for."
        ) from error


@functools.lru_cache(maxsize=4)
def _packed(file: MaskFile) -> PackedMask:
    with _opened(file.path) as dataset:
        mask = _read(dataset, file.path)
        if _digest(mask, dataset) != file.digest:
            raise SourceError(
                f"{file.description} are not those with which the run began. Put the file back, or begin anew with "
                f"--fresh."
            )
        if file.target is None:
            return mask
        return warped_mask(mask, grid_of(dataset), file.target)


def _read(dataset: DatasetReader, path: str) -> PackedMask:
    """All of it, strip by strip. Raises SourceError."""
    _check_size(path, dataset.height, dataset.width)
    try:
        strips = [np.packbits(strip, axis=1) for strip in _strips(dataset)]
    except (RasterioError, OSError) as error:
        raise SourceError(
            f"The mask of source.only {mask_urls(path)} cannot be read: {last_line(error)}. Mend the file."
        ) from error
    return PackedMask(np.concatenate(strips), dataset.width)


def _strips(dataset: DatasetReader) -> Iterator[MaskCells]:
    """Rows of the mask: whether any band is a number other than 0, nodata, masked and transparent pixels not."""
    bands = [i for i, kind in enumerate(dataset.colorinterp, 1) if kind is not ColorInterp.alpha] or [1]
    height = max(_STRIP_PX // (dataset.width * len(bands)), 1)
    for row in range(0, dataset.height, height):
        window = RasterioWindow(0, row, dataset.width, min(height, dataset.height - row))
        values = dataset.read(bands, window=window)
        is_set = (values != 0) & ~np.isnan(values) if values.dtype.kind in "fc" else values != 0
        yield is_set.any(axis=0) & (dataset.dataset_mask(window=window) != 0)


def _digest(mask: PackedMask, dataset: DatasetReader) -> str:
    """Of the cells and where they lie: a picture that was saved again is the same mask."""
    place = "" if dataset.crs is None else f"{tuple(dataset.transform)[:6]} {dataset.crs.to_wkt()}"
    digest = hashlib.blake2b(f"{mask.height} {mask.width} {place}".encode(), digest_size=16)
    digest.update(mask.bits.tobytes())
    return digest.hexdigest()


def _check_size(path: str, height: int, width: int) -> None:
    if height * width > MAX_MASK_PX:
        raise SourceError(
            f"The mask of source.only {mask_urls(path)} takes {height} × {width} px, more than {MAX_MASK_PX:,} px, "
            f"which are held in memory. Give it at a lower resolution: any will do."
        )


def _check_aspect(path: str, mask: PackedMask, grid: Grid) -> None:
    """Raise SourceError where a mask that is stretched over the raster would be off by more than a cell."""
    expected = mask.width * grid.height / grid.width, mask.height * grid.width / grid.height
    if min(abs(mask.height - expected[0]), abs(mask.width - expected[1])) > 1:
        raise SourceError(
            f"The mask of source.only {mask_urls(path)} has {mask.height} × {mask.width} px and the raster "
            f"{grid.height} × {grid.width} px, which is another shape, so that it cannot lie over it. Give a mask of "
            f"all of the raster, at any resolution, or one with a georeference."
        )
