"""``kind: stack``: several dates or sensors as bands of one input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.grid import Grid
from pipeline.interfaces import Source
from pipeline.sources.band_files.bands_source import BandsSource
from pipeline.sources.band_tags import read_band_tags
from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.raster import RasterSource
from pipeline.sources.regrid.placement import placement_of
from pipeline.sources.regrid.target import target_grid
from pipeline.sources.stacked.alignment import ListedSource, aligned, on_target
from pipeline.sources.stacked.names import part_names, with_keys_of_part
from pipeline.sources.stacked.promotion import common_dtype
from pipeline.sources.stacked.stacked_source import Part, StackedSource

Open = Callable[[SourceConfig, float | None], Source]


def opener(kinds: Mapping[str, Open]) -> Open:
    """What opens a stack whose sources are of some kinds.

    Parameters
    ----------
    kinds
        What opens a source, by its kind.
    """

    def open_source(config: SourceConfig, timeout: float | None = None) -> StackedSource:
        """Open the sources of a stack and lay them on one grid.

        Raises SourceError where one cannot be opened, or lies on another grid and the config does not say what is done.
        """
        opened = [_open(k, kinds, config, timeout) for k in range(len(config.sources))]
        target = _target(config, opened[0])
        sources = [_laid(entry, target, opened[0], config) for entry in opened]
        names = part_names([entry.place for entry in config.sources])
        return StackedSource(
            parts=tuple(
                Part(name=name, source=source, band_names=band_names(entry.source))
                for name, source, entry in zip(names, sources, opened, strict=True)
            ),
            grid=target,
            dtype=common_dtype([source.dtype for source in sources], [entry.place for entry in opened]),
            rule=config.stack_rule,
        )

    return open_source


def _open(k: int, kinds: Mapping[str, Open], config: SourceConfig, timeout: float | None) -> ListedSource:
    entry = config.sources[k]
    try:
        source = kinds[entry.kind](entry, timeout)
    except SourceError as error:
        raise SourceError(with_keys_of_part(str(error), k)) from error
    return ListedSource(place=mask_urls(entry.place), source=source, resampling=entry.resampling)


def _target(config: SourceConfig, first: ListedSource) -> Grid:
    if config.grid is None:
        return first.source.grid
    return target_grid(config.grid, first.source, placement_of(first.source))


def _laid(entry: ListedSource, target: Grid, first: ListedSource, config: SourceConfig) -> Source:
    if config.grid is not None:
        return on_target(entry, target)
    return entry.source if entry is first else aligned(entry, target, first, config.align)


def band_names(source: Source) -> tuple[str, ...]:
    """The names of the bands read, or their numbers where nothing names them."""
    if isinstance(source, BandsSource):
        return tuple(part.name for part in source.parts)
    numbers: Sequence[int] = range(1, source.bands + 1)
    if isinstance(source, RasterSource) and source.bands == len(source.indexes):
        numbers = source.indexes
    return tuple(name or str(number) for name, number in zip(read_band_tags(source).names, numbers, strict=True))
