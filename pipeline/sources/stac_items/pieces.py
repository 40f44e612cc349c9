"""Items of a search as pieces of a mosaic."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from pipeline.config import SourceConfig
from pipeline.redact import redacted
from pipeline.sources.gdal.access import FileAccess
from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.gdal.signer import signer_named
from pipeline.sources.mosaics.piece import Piece
from pipeline.sources.stac_items.item import StacItem
from pipeline.sources.stac_items.scene import ItemScene, item_scene, open_item

REMOTE_REQUESTS = 16
"""Items whose files a server is asked about at once."""


def item_pieces(items: Sequence[StacItem], config: SourceConfig) -> list[Piece]:
    """A piece for each item, which opens its scene.

    Raises
    ------
    SourceError
        As for `item_scene`, of any of them.
    """
    settings = config.model_copy(update={"path": ""})
    scenes = [item_scene(item, config) for item in items]
    with ThreadPoolExecutor(REMOTE_REQUESTS, thread_name_prefix="items") as pool:
        marks = list(pool.map(partial(_mark, config=config), scenes))
    return [
        Piece(
            name=item.name,
            path=redacted(item.place),
            settings=settings,
            date=item.date,
            mark=mark,
            opener=partial(_open, scene),
        )
        for item, scene, mark in zip(items, scenes, marks, strict=True)
    ]


def _open(scene: ItemScene, config: SourceConfig, timeout: float | None) -> Any:
    return open_item(scene, config, timeout)


def _mark(scene: ItemScene, config: SourceConfig) -> str:
    """Another where any of its files, or what the item says of their numbers, is another."""
    files = sorted({band.path for band in scene.product.bands})
    numbers = [repr(band.calibration) for band in scene.product.bands]
    text = json.dumps([[_identity(file, config) for file in files], numbers, scene.names], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _identity(file: str, config: SourceConfig) -> dict[str, Any]:
    if config.sign is None:
        return identity_of(file, [])
    return FileAccess(signer=signer_named(config.sign)).identity(file, [])
