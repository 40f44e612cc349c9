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
from pipeline.sources.gdal.options import shown
from pipeline.sources.gdal.remedies import ANYTHING, remedy


def open_dataset(path: str) -> DatasetReader:
    """Open a raster; raises SourceError where there is none, or none with bands."""
    try:
        dataset: DatasetReader = rasterio.open(path)
    except (RasterioError, OSError) as error:
        advice = shown(remedy(path, words(error))) if _is_there(path) else ANYTHING
        raise SourceError(f"source.path is {shown(path)}, which {_why(path, error)}. {advice}") from error
    if dataset.count == 0:
        inner = f" Name one of its subdatasets: {', '.join(inner_names(dataset)[:3])}." if dataset.subdatasets else ""
        raise SourceError(f"source.path is {shown(path)}, which has no bands of its own.{inner}")
    return dataset


def bands_of(path: str, dataset: DatasetReader, bands: list[int] | None) -> tuple[int, ...]:
    """The bands to read, counted from 1: those that are named, else all but alpha. Raises SourceError where there is no such band."""
    indexes = tuple(bands or (i for i, kind in enumerate(dataset.colorinterp, 1) if kind is not ColorInterp.alpha)) or (1,)
    missing = [i for i in indexes if i > dataset.count]
    if missing:
        raise SourceError(f"source.bands asks for band {missing[0]}, but {shown(path)} has {dataset.count} bands. Bands count from 1.")
    if any(np.dtype(_plain(dataset.dtypes[i - 1])).kind == "c" for i in indexes):
        raise SourceError(f"{shown(path)} holds complex numbers ({dataset.dtypes[0]}), which no network takes. Give its amplitude or its parts as bands.")
    return indexes


def words(error: BaseException) -> str:
    """GDAL's own words, which rasterio keeps one cause further down."""
    text = str(error.__cause__ or error).strip()
    return shown(text.splitlines()[-1])[:200] if text else type(error).__name__


def _plain(dtype: str) -> str:
    return "complex64" if dtype.startswith("complex") else dtype


def _is_there(path: str) -> bool:
    """Whether there is something at a path, as far as can be known without GDAL."""
    return "://" in path or path.startswith("/vsi") or is_gdal_name(path) or os.path.exists(path)


def _why(path: str, error: BaseException) -> str:
    """Why a path cannot be opened."""
    if _is_there(path):
        return f"cannot be opened as a raster ({words(error)})"
    several = sorted(glob.glob(path))
    return f"names {len(several)} files; {one_raster(several)}" if several else "does not exist"
