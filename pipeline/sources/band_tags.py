"""What a file says of its bands: their names and colours."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.interfaces import Source
from pipeline.sources.gdal.opening import open_dataset
from pipeline.sources.gdal.options import gdal_env
from pipeline.sources.overview import raster_of

RGB = ("red", "green", "blue")


@dataclass(frozen=True, slots=True, kw_only=True)
class BandTags:
    """Of the bands that are read, in their order."""

    names: tuple[str, ...]
    """Descriptions; empty where the file gives none."""
    rgb: tuple[int, ...]
    """Places of red, green and blue among them, counted from 0; empty where the file names
    them neither by colour nor by description."""


def read_band_tags(source: Source) -> BandTags:
    """Names and colours of the bands of a source; empty for other kinds than ``raster``."""
    raster = raster_of(source)
    if raster is None or raster.bands != len(raster.indexes):
        return BandTags(names=("",) * source.bands, rgb=())
    with gdal_env(raster.settings), open_dataset(raster.path) as dataset:
        names = tuple(dataset.descriptions[i - 1] or "" for i in raster.indexes)
        colours = [dataset.colorinterp[i - 1].name for i in raster.indexes]
    rgb = _places(colours) or _places([name.lower() for name in names])
    return BandTags(names=names, rgb=rgb)


def _places(colours: list[str]) -> tuple[int, ...]:
    return tuple(colours.index(name) for name in RGB) if set(RGB) <= set(colours) else ()
