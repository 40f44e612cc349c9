"""``kind: stac``: an item of a catalogue as one scene, or the items of a search as one mosaic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.config import SourceConfig
from pipeline.config.search import SearchConfig
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source
from pipeline.sources.mosaics.compose import mosaic_of_pieces
from pipeline.sources.stac_items.catalogue import read_document
from pipeline.sources.stac_items.item import Item, item_of
from pipeline.sources.stac_items.pieces import item_pieces
from pipeline.sources.stac_items.scene import item_scene, open_scene
from pipeline.sources.stac_items.search import found_items
from pipeline.sources.wrappers.wrapper import SourceWrapper


@dataclass(frozen=True, kw_only=True)
class FoundItems(SourceWrapper):
    """The mosaic of a search. Which items it has belongs to its identity, so that a store is made of no others."""

    items: tuple[str, ...]
    """Collection and id of each."""

    def identity(self) -> dict[str, Any]:
        """That of the mosaic, with its items by name."""
        return {**self.source.identity(), "items": list(self.items)}

    def read(self, window: Window) -> Pixels:
        """Read a window of the mosaic. Raises ReadError."""
        return self.source.read(window)


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
    return open_scene(item_scene(item, config), config, timeout)


def _mosaic(items: list[Item], config: SourceConfig, timeout: float | None) -> Source:
    pieces = item_pieces(items, config)
    return FoundItems(source=mosaic_of_pieces(pieces, config, timeout), items=tuple(piece.name for piece in pieces))
