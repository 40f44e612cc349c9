"""What a person must know of how a raster is read, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from pipeline.config import SourceConfig
from pipeline.sources.gdal.colours import Picture
from pipeline.sources.gdal.contents import left_out
from pipeline.sources.validity import nodata, zarr_holes
from pipeline.sources.validity.unwritten_blocks import Unwritten
from pipeline.sources.validity.validity import alpha_of

SHOWN_BEFORE = ("CMYK", "YCbCr", "CIELAB")
"""Colours that GDAL itself has always brought to red, green and blue."""


def notes_of(dataset: DatasetReader, indexes: tuple[int, ...], config: SourceConfig, picture: Picture) -> list[str]:
    """All that is left out, changed or taken as unknown.

    Parameters
    ----------
    dataset
        An open raster.
    indexes
        Bands that are read, counted from 1.
    config
        How it is read.
    picture
        How its numbers are shown.
    """
    notes = left_out(dataset) + ([picture.note] if picture.note else [])
    if (alpha := alpha_of(dataset, indexes)) is not None:
        notes.append(_alpha(dataset, indexes, alpha, config.nodata))
    types = list(dict.fromkeys(dataset.dtypes[i - 1] for i in indexes))
    if len(types) > 1:
        notes.append(f"its bands are of {' and '.join(types)}, and are read as {np.result_type(*types)}")
    if config.nodata is not None:
        notes += _impossible_nodata(dataset, indexes, config.nodata)
    if config.nodata is not None and (share := Unwritten(dataset=dataset).share(indexes)):
        notes.append(
            f"{share:.1%} of its blocks were never written and are nodata; source.nodata: null makes them "
            f"what GDAL reads"
        )
    if config.nodata is not None and (share := zarr_holes.hole_share(dataset, indexes)):
        notes.append(
            f"{share:.1%} of it lie in no file of the VRT and are nodata; source.nodata: null makes them "
            f"what GDAL reads"
        )
    return notes


def _alpha(dataset: DatasetReader, indexes: Sequence[int], alpha: int, setting: Any) -> str:
    every = ", ".join(str(i) for i in range(1, dataset.count + 1))
    masks = "is left out" if setting is None else "is left out and masks pixels where it is 0"
    return f"band {alpha} is tagged alpha and {masks}; if it is data, source.bands: [{every}] reads it"


def _impossible_nodata(dataset: DatasetReader, indexes: tuple[int, ...], setting: Any) -> list[str]:
    """Nodata that no pixel can have; fractions and numbers beyond an integer's range."""
    odd = {}
    for i in indexes:
        values = nodata.declared(dataset, i, setting)
        odd.update(
            dict.fromkeys(
                (value, dataset.dtypes[i - 1])
                for value in nodata.impossible_values(values, np.dtype(dataset.dtypes[i - 1]))
            )
        )
    subject = "the file's nodata" if setting == "auto" else "source.nodata"
    return [
        f"{subject} is {value:g}, which no {dtype} can be, so that no pixel is nodata by it" for value, dtype in odd
    ]


def news_of(dataset: DatasetReader, indexes: tuple[int, ...], config: SourceConfig, picture: Picture) -> list[str]:
    """How pixels are read otherwise than stores of earlier releases were made of; nothing for most rasters."""
    news = [picture.name] if picture.name not in ("", *SHOWN_BEFORE) else []
    if config.nodata is None:
        return news
    if any(dataset.colorinterp[i - 1] is ColorInterp.alpha for i in indexes):
        news.append("alpha is data")
    if any(not dataset.mask_flag_enums[i - 1] for i in indexes):
        news.append("masks of bands")
    if dataset.driver == "Zarr" and config.nodata == "auto":
        news.append("fill value is data")
    if Unwritten(dataset=dataset).share(indexes):
        news.append("unwritten blocks are nodata")
    if zarr_holes.hole_share(dataset, indexes):
        news.append("holes of a VRT are nodata")
    return news
