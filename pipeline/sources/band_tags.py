"""What a file says of its bands: names, colours, nodata, scale and offset."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.interfaces import Source
from pipeline.sources.gdal.opening import open_dataset
from pipeline.sources.gdal.options import gdal_env
from pipeline.sources.mosaics.mosaic_source import MosaicSource
from pipeline.sources.overview import raster_of, without_wrappers
from pipeline.sources.stacked.stacked_source import StackedSource
from pipeline.store.picture_spec import shows_colours

RGB = ("red", "green", "blue")


@dataclass(frozen=True, slots=True, kw_only=True)
class BandTags:
    """Of the bands that are read, in their order; those of the first piece of a mosaic, and names at most of others."""

    names: tuple[str, ...]
    """Descriptions; empty where the file gives none. Of a stack ``source:band``."""
    rgb: tuple[int, ...] = ()
    """Places of red, green and blue among them, counted from 0; empty where the file names
    them neither by colour nor by description."""
    nodata: tuple[float | None, ...] = ()
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    all_names: tuple[str, ...] = ()
    """Descriptions of all bands of the file."""
    as_seen: bool = False
    """Whether the bands are colours as a microscope shows them."""

    @property
    def are_scaled(self) -> bool:
        """Whether the file says that its numbers stand for others."""
        return any(scale != 1 for scale in self.scales) or any(offset != 0 for offset in self.offsets)


def read_band_tags(source: Source) -> BandTags:
    """The tags of the bands of a source."""
    as_seen = shows_colours(source.grid.unit, str(source.dtype), source.bands)
    return replace(_tags(source), as_seen=as_seen)


def _tags(source: Source) -> BandTags:
    if (stack := stack_of(source)) is not None:
        return BandTags(names=stack.band_names, rgb=stack.rgb, all_names=stack.band_names)
    raster = raster_of(source)
    if raster is None and isinstance(inner := without_wrappers(source), MosaicSource):
        return _tags(inner.first_piece())
    if raster is None or raster.bands != len(raster.indexes):
        return BandTags(names=("",) * source.bands)
    with gdal_env(raster.settings), open_dataset(raster.path) as dataset:
        places = [i - 1 for i in raster.indexes]
        all_names = tuple(name or "" for name in dataset.descriptions)
        names = tuple(all_names[k] for k in places)
        colours = [dataset.colorinterp[k].name for k in places]
        return BandTags(
            names=names,
            rgb=_places(colours) or _places([name.lower() for name in names]),
            nodata=tuple(dataset.nodatavals[k] for k in places),
            scales=tuple(dataset.scales[k] for k in places),
            offsets=tuple(dataset.offsets[k] for k in places),
            all_names=all_names,
        )


def stack_of(source: Source) -> StackedSource | None:
    """The stack below wrappers; None of another kind of source."""
    source = without_wrappers(source)
    return source if isinstance(source, StackedSource) else None


def _places(colours: list[str]) -> tuple[int, ...]:
    return tuple(colours.index(name) for name in RGB) if set(RGB) <= set(colours) else ()
