"""A raster on one of its overviews, for a look at all of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from pipeline.errors import SourceError
from pipeline.interfaces import Source
from pipeline.sources.gdal.opening import last_line, open_dataset
from pipeline.sources.gdal.options import gdal_env, mask_urls
from pipeline.sources.raster import RasterSource
from pipeline.sources.wrappers.wrapper import SourceWrapper

OVERVIEW_READ_BYTES = 2**24
"""Of all bands of an overview that is read, as float32, unless more is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All of a raster, decimated."""

    data: npt.NDArray[np.float32]
    """(bands, rows, cols) raw numbers."""
    valid: npt.NDArray[np.bool_]
    """(rows, cols), by the file's mask or the config's nodata."""
    step: int
    """Px of the raster per px of the overview."""


def read_overview(source: Source, largest_step: int, max_bytes: int = OVERVIEW_READ_BYTES) -> Overview | None:
    """Read the coarsest overview whose pixels are wide enough apart.

    Parameters
    ----------
    source
        Any source; other kinds than ``raster`` have no overviews here.
    largest_step
        Px of the raster per px of the overview, at most; a coarser one is taken where this is too large to read.
    max_bytes
        Of all bands of an overview that is read, as float32.

    Returns
    -------
    Overview or None
        None where the raster has no overview of use.

    Raises
    ------
    SourceError
        The overview cannot be read.
    """
    raster = raster_of(source)
    if raster is None:
        return None
    try:
        with gdal_env(raster.settings), open_dataset(raster.path) as dataset:
            step = _step(dataset, raster, largest_step, max_bytes)
            return None if step is None else _read(dataset, raster, step)
    except (RasterioError, OSError) as error:
        raise SourceError(
            f"An overview of {mask_urls(raster.path)} cannot be read: {last_line(error)}. Mend the file, or make its "
            f"overviews anew with gdaladdo."
        ) from error


def raster_of(source: Source) -> RasterSource | None:
    """The raster below wrappers; None of another kind of source."""
    source = without_wrappers(source)
    return source if isinstance(source, RasterSource) else None


def without_wrappers(source: Source) -> Source:
    """The source below all wrappers."""
    while isinstance(source, SourceWrapper):
        source = source.source
    return source


def _step(dataset: DatasetReader, raster: RasterSource, largest: int, max_bytes: int) -> int | None:
    steps = sorted(dataset.overviews(raster.indexes[0]))
    fine_enough = [step for step in steps if step <= largest]
    candidates = fine_enough[-1:] + [step for step in steps if step > largest]
    return next((step for step in candidates if _size(dataset, raster, step) <= max_bytes), None)


def _size(dataset: DatasetReader, raster: RasterSource, step: int) -> int:
    rows, cols = _shape(dataset, step)
    return len(raster.indexes) * rows * cols * np.dtype(np.float32).itemsize


def _shape(dataset: DatasetReader, step: int) -> tuple[int, int]:
    return -(-dataset.height // step), -(-dataset.width // step)


def _read(dataset: DatasetReader, raster: RasterSource, step: int) -> Overview:
    shape = _shape(dataset, step)
    raw = dataset.read(list(raster.indexes), out_shape=(len(raster.indexes), *shape))
    valid = np.isfinite(raw).all(0) & _marked_valid(dataset, raster, raw, shape)
    return Overview(data=np.where(valid, raw, 0).astype(np.float32), valid=valid, step=step)


def _marked_valid(
    dataset: DatasetReader, raster: RasterSource, raw: npt.NDArray[Any], shape: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    if raster.nodata is None:
        return np.ones(shape, bool)
    if raster.nodata == "auto":
        return np.asarray(dataset.dataset_mask(out_shape=shape) != 0)
    marked = raw == raster.nodata
    return np.asarray(~(marked.any(0) if raster.rule == "any" else marked.all(0)))
