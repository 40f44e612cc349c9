"""A raster opened, and what is wrong with one that cannot be."""

from __future__ import annotations

import glob
import os

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from pipeline.config.paths import is_gdal_name
from pipeline.config.source import one_raster
from pipeline.errors import SourceError
from pipeline.sources.gdal.contents import inner_names
from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.gdal.remedies import ANY_RASTER, remedy


def open_dataset(path: str) -> DatasetReader:
    """Open a raster; raises SourceError where there is none, or none with bands."""
    try:
        dataset: DatasetReader = rasterio.open(path)
    except (RasterioError, OSError) as error:
        advice = mask_urls(remedy(path, last_line(error))) if _is_there(path) else ANY_RASTER
        raise SourceError(f"source.path is {mask_urls(path)}, which {_problem(path, error)}. {advice}") from error
    if dataset.count == 0:
        inner = f" Name one of its subdatasets: {', '.join(inner_names(dataset)[:3])}." if dataset.subdatasets else ""
        raise SourceError(f"source.path is {mask_urls(path)}, which has no bands of its own.{inner}")
    return dataset


def bands_of(path: str, dataset: DatasetReader, bands: list[int] | None) -> tuple[int, ...]:
    """The bands to read, counted from 1: those that are named, else all but alpha. Raises SourceError where there is no such band."""
    indexes = tuple(bands or (i for i, kind in enumerate(dataset.colorinterp, 1) if kind is not ColorInterp.alpha)) or (1,)
    missing = [i for i in indexes if i > dataset.count]
    if missing:
        raise SourceError(f"source.bands asks for band {missing[0]}, but {mask_urls(path)} has {dataset.count} bands. Bands count from 1.")
    if any(np.dtype(_numpy_dtype(dataset.dtypes[i - 1])).kind == "c" for i in indexes):
        raise SourceError(f"{mask_urls(path)} holds complex numbers ({dataset.dtypes[0]}), which no network takes. Give its amplitude or its parts as bands.")
    return indexes


def last_line(error: BaseException) -> str:
    """GDAL's own words, which rasterio keeps one cause further down."""
    text = str(error.__cause__ or error).strip()
    return mask_urls(text.splitlines()[-1])[:200] if text else type(error).__name__


def _numpy_dtype(dtype: str) -> str:
    return "complex64" if dtype.startswith("complex") else dtype


def _is_there(path: str) -> bool:
    """Whether there is something at a path, as far as can be known without GDAL."""
    return "://" in path or path.startswith("/vsi") or is_gdal_name(path) or os.path.exists(path)


def _problem(path: str, error: BaseException) -> str:
    """Why a path cannot be opened."""
    if _is_there(path):
        return f"cannot be opened as a raster ({last_line(error)})"
    matches = sorted(glob.glob(path))
    return f"names {len(matches)} files; {one_raster(matches)}" if matches else "does not exist"
