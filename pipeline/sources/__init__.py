"""Kinds of sources, by name: each opens a raster and reads windows of it.

The readers of a kind are imported where a config names it: most jobs read one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.config import SourceConfig
from pipeline.config.families import SOURCE_KINDS
from pipeline.interfaces import Source
from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.wrappers.read_timeout import with_timeout

SourceOpener = Callable[[SourceConfig, float | None], Source]
"""Opens a source within ``execution.read_timeout``, s. Raises SourceError."""


def _raster(config: SourceConfig, timeout: float | None) -> Source:
    if config.select is None and config.axes is None:
        from pipeline.sources import raster

        return raster.open_source(config, timeout)
    from pipeline.sources import planes

    return planes.open_source(config, timeout)


def _bands(config: SourceConfig, timeout: float | None) -> Source:
    from pipeline.sources import bands

    return bands.open_source(config, timeout)


def _slide(config: SourceConfig, timeout: float | None) -> Source:
    from pipeline.sources import slide

    return slide.open_source(config, timeout)


def _mosaic(config: SourceConfig, timeout: float | None) -> Source:
    from pipeline.sources import mosaic

    return mosaic.open_source(config, timeout)


def _stac(config: SourceConfig, timeout: float | None) -> Source:
    from pipeline.sources import stac

    return stac.open_source(config, timeout)


def _zarr(config: SourceConfig, timeout: float | None) -> Source:
    from pipeline.sources import zarr

    return zarr.open_source(config, timeout)


def _stack(config: SourceConfig, timeout: float | None) -> Source:
    from pipeline.sources import stack

    return stack.opener(KINDS)(config, timeout)


KINDS: dict[str, SourceOpener] = {
    "raster": _raster,
    "bands": _bands,
    "slide": _slide,
    "mosaic": _mosaic,
    "stac": _stac,
    "zarr": _zarr,
    "stack": _stack,
}
SOURCE_KINDS.register(KINDS)


def open_source(config: SourceConfig, timeout: float | None = None, stored: Mapping[str, Any] | None = None) -> Source:
    """Open a source and check what the config says of it.

    Parameters
    ----------
    config
        What is read, and how.
    timeout
        ``execution.read_timeout``, s, after which a read has failed; None to wait for as long as it takes.
    stored
        The fingerprint of the store that is there already, or of a frozen plan, which decided a grid once; else None.

    Raises
    ------
    SourceError
        It is missing, unreadable, or lacks a band.
    Unfinished
        It does not answer in time.
    """

    def open_() -> Source:
        return open_kind(config, timeout, stored)

    return open_() if timeout is None else with_timeout(open_, timeout, mask_urls(config.place))


def open_kind(config: SourceConfig, timeout: float | None, stored: Mapping[str, Any] | None) -> Source:
    """The same as a part of another source, which has one patience for all of its parts."""
    source = KINDS[config.kind](config, timeout)
    if config.kind == "stack":
        from pipeline.sources.stacked.stacked_source import StackedSource

        if isinstance(source, StackedSource):  # each of its sources is on the grid already
            return source.with_stored_grid(stored or {})
    if config.grid is None:
        return source
    from pipeline.sources.regrid import on_grid

    return on_grid(source, config, stored)


def with_notes(message: str, source: Source) -> str:
    """A message of what a source lacks, with what of it is not read: that may be what lacks."""
    return f"{message} Of the source: {'; '.join(source.notes)}." if source.notes else message
