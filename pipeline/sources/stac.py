"""``kind: stac``: an item of a catalogue as one scene, or the items of a search as one mosaic."""

from __future__ import annotations

from dataclasses import replace

from pipeline.config import SourceConfig
from pipeline.config.search import SearchConfig
from pipeline.interfaces import Source
from pipeline.sources.mosaics.compose import mosaic_of_pieces
from pipeline.sources.stac_items.catalogue import read_document
from pipeline.sources.stac_items.item import StacItem, facts_of_items, item_of
from pipeline.sources.stac_items.pieces import item_pieces
from pipeline.sources.stac_items.scene import item_scene, open_item
from pipeline.sources.stac_items.search import found_items

READ_BY = ("assets", "radiometry", "valid", "resolution", "resampling")
"""Keys that decide what is read of each item of a search, beside those that all mosaics have."""


def open_source(config: SourceConfig, timeout: float | None = None) -> Source:
    """Open an item, or the items of a search.

    Parameters
    ----------
    config
        Which, and what is read of them.
    timeout
        ``execution.read_timeout``, s, for what comes over the net.

    Raises
    ------
    ExtraError
        The extra ``stac`` is not installed.
    SourceError
        There is no such item or band, an address is refused, or files contradict the metadata.
    Unfinished
        The catalogue is busy or away.
    """
    if isinstance(config.path, SearchConfig):
        return _mosaic(found_items(config.path), config, timeout)
    item = item_of(read_document(config.file), config.file)
    return open_item(item_scene(item, config), config, timeout)


def _mosaic(items: list[StacItem], config: SourceConfig, timeout: float | None) -> Source:
    """The items of a search as one source, whose identity names them: a store is made of no others."""
    pieces = item_pieces(items, config)
    source = mosaic_of_pieces(pieces, config, timeout)
    reads = config.model_dump(mode="json", include={*READ_BY})
    return replace(source, facts={**source.facts, **facts_of_items(items), "reads": reads})
