"""Kinds of sources, by name."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config import SourceConfig
from pipeline.protocols import Source
from pipeline.sources import raster

KINDS: dict[str, Callable[[SourceConfig], Source]] = {"raster": raster.open_source}


def open_source(config: SourceConfig) -> Source:
    """Open a source and check what the config says of it.

    Raises
    ------
    SourceError
        It is missing, unreadable, or lacks a band.
    """
    return KINDS[config.kind](config)
