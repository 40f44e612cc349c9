"""Labels that are numbers, such as heights: a raster with a band for each channel, on the grid of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from pipeline.errors import LabelsError
from pipeline.geometry.crs import bbox_of, turns
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.quality.labels.raster import has_image_grid, open_file
from pipeline.sources.gdal.georeference import grid_of
from pipeline.sources.polygons import is_vector
from pipeline.sources.warp import WarpedRaster

EXPECTED = "a raster of numbers with one band per channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLabels:
    """What is known of each channel. Pickles as a spec; each thread opens handles of its own on first use."""

    rasters: tuple[WarpedRaster, ...]
    """A band of the file on the image's grid, for each channel that is judged."""
    channels: tuple[int, ...]
    """Places of these channels among those of the store."""
    scale: tuple[float, ...]
    """Of the bands, by the file's own word."""
    offset: tuple[float, ...]
    ignore: tuple[float, ...]
    """Stored values that say nothing."""

    @property
    def grid(self) -> Grid:
        """Of the image."""
        return self.rasters[0].grid

    def read(self, place: int, window: Window) -> npt.NDArray[np.float64]:
        """(rows, cols) numbers of a channel, by its place in ``channels``; NaN where nothing is known.

        Raises LabelsError where the file cannot be read there.
        """
        numbers = np.full((window.height, window.width), np.nan)
        inside = window.clip(self.grid.height, self.grid.width)
        if inside.pixels:
            numbers[inside.index_in(window)] = self._read(place, inside)
        return numbers

    def _read(self, place: int, window: Window) -> npt.NDArray[np.float64]:
        raster = self.rasters[place]
        try:
            values, mask = raster.read(window)
        except (RasterioError, OSError, MemoryError) as error:
            raster.reopen()
            raise LabelsError(
                f"The labels {raster.path} cannot be read at {window} ({error.__cause__ or error}). Mend or replace "
                f"the file."
            ) from error
        known = (mask > 0) & np.isfinite(values) & ~np.isin(values, self.ignore)
        return np.where(known, values.astype(np.float64) * self.scale[place] + self.offset[place], np.nan)


def open_numbers(
    path: str, grid: Grid, channels: Sequence[str], *, channel: str | None = None, ignore: Sequence[int | str] = ()
) -> NumberLabels:
    """Open a raster of numbers and lay it on the grid of an image, by nearest neighbour where it has another.

    Parameters
    ----------
    path
        A raster with a band for each channel, in their order; with one band where one channel is judged. Bands with a
        scale and an offset of their own mean what these make of them.
    grid
        Of the image.
    channels
        Names of the channels of the store.
    channel
        The one that is judged; all by default.
    ignore
        Stored values that say nothing.

    Raises
    ------
    LabelsError
        The file is missing, lies elsewhere, or has another number of bands, or there is no such channel.
    """
    if is_vector(path):
        raise LabelsError(f"The labels {path} are polygons, which hold no number for each pixel. Give {EXPECTED}.")
    judged = _judged(channels, channel)
    opener = partial(open_file, expected=EXPECTED)
    with opener(path) as dataset:
        bands = _bands(dataset)
        if len(bands) != len(judged):
            raise LabelsError(
                f"The labels {path} have {len(bands)} bands, but {len(judged)} channels are judged: "
                f"{', '.join(channels[k] for k in judged)}. Give one band per channel, in this order, or one band and "
                f"--channel NAME."
            )
        aligned, place = has_image_grid(path, grid_of(dataset), grid), grid_of(dataset)
        scale, offset = (tuple(values[band - 1] for band in bands) for values in (dataset.scales, dataset.offsets))
    moves = (0.0,) if aligned or place.wkt is None else turns(bbox_of(place), place.wkt, grid)
    rasters = (
        WarpedRaster(path=path, opener=opener, grid=grid, aligned=aligned, turns=moves, band=band) for band in bands
    )
    return NumberLabels(
        rasters=tuple(rasters), channels=judged, scale=scale, offset=offset, ignore=tuple(map(_number, ignore))
    )


def _judged(channels: Sequence[str], channel: str | None) -> tuple[int, ...]:
    if channel is None:
        return tuple(range(len(channels)))
    if channel not in channels:
        raise LabelsError(f"--channel is {channel}, which is no channel of the store. It may be {', '.join(channels)}.")
    return (list(channels).index(channel),)


def _bands(dataset: DatasetReader) -> list[int]:
    """Bands that hold numbers, from 1."""
    return [band for band, kind in enumerate(dataset.colorinterp, start=1) if kind is not ColorInterp.alpha]


def _number(value: int | str) -> float:
    try:
        return float(value)
    except ValueError:
        raise LabelsError(f"--ignore is {value}, but the labels are numbers. Give a number, such as -9999.") from None
