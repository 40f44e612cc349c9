"""Kinds of sources, by name: each opens a raster and reads windows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.config import SourceConfig
from pipeline.config.families import SOURCE_KINDS
from pipeline.interfaces import Source
from pipeline.sources import bands, mosaic, planes, slide, stac, stack, zarr
from pipeline.sources.gdal.options import mask_urls
from pipeline.sources.regrid import on_grid
from pipeline.sources.stacked.stacked_source import StackedSource
from pipeline.sources.wrappers.read_timeout import with_timeout

KINDS: dict[str, Callable[[SourceConfig, float | None], Source]] = {
    "raster": planes.open_source,
    "bands": bands.open_source,
    "slide": slide.open_source,
    "mosaic": mosaic.open_source,
    "stac": stac.open_source,
    "zarr": zarr.open_source,
}
KINDS["stack"] = stack.opener(KINDS)
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
    if isinstance(source, StackedSource):  # each of its sources is on the grid already
        return source.with_stored_grid(stored or {})
    return on_grid(source, config, stored)


def with_notes(message: str, source: Source) -> str:
    """A message of what a source lacks, with what of it is not read: that may be what lacks."""
    return f"{message} Of the source: {'; '.join(source.notes)}." if source.notes else message
