"""The ledger: one commit record per block, written once its chunks are durable.

Records lie below an array (``0/mask/ledger/r00012/b00003.json``), where no Zarr reader looks, fanned out by block row.
What is in the store is what has a record; nothing is deduced from which chunks exist.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.raster.window import Window
from pipeline.store.files import Files
from pipeline.store.layout import open_layer

EMPTY = "empty"
"""Stands for a chunk that holds nothing but the fill value and has no file."""
_NAME = re.compile(r"r(\d+)/b(\d+)\.(json|failed)$")

BlockKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The records of one level of a store."""

    store: Path
    level: int = 0

    @property
    def _files(self) -> Files:
        return Files(self.store)

    @property
    def _folder(self) -> str:
        return f"{self.level}/mask/ledger"

    def commit(self, block: BlockKey, record: dict[str, Any]) -> None:
        """Write a block's record; a failure noted before is forgotten."""
        self._files.put(self._key(block, "json"), json.dumps(record, sort_keys=True).encode())
        self._files.delete(self._key(block, "failed"))

    def fail(self, block: BlockKey, why: str) -> None:
        """Note why a block is not committed."""
        self._files.put(self._key(block, "failed"), json.dumps({"error": why}).encode())

    def committed(self) -> set[BlockKey]:
        """Blocks that have a record, by listing alone."""
        return set(self._listed("json"))

    def failures(self) -> dict[BlockKey, str]:
        """Blocks that failed when they were last tried, and why."""
        return {block: json.loads(self._files.get(self._key(block, "failed")) or b'{"error": ""}')["error"] for block in self._listed("failed")}

    def record(self, block: BlockKey) -> dict[str, Any] | None:
        """What was recorded of a block, or None."""
        data = self._files.get(self._key(block, "json"))
        return None if data is None else json.loads(data)

    def _key(self, block: BlockKey, ending: str) -> str:
        return f"{self._folder}/r{block[0]:05d}/b{block[1]:05d}.{ending}"

    def _listed(self, ending: str) -> Iterator[BlockKey]:
        for key in self._files.list(self._folder):
            match = _NAME.search(key)
            if match and match[3] == ending:
                yield int(match[1]), int(match[2])


def commit_block(store: Path, level: int, block: BlockKey, window: Window, layers: tuple[str, ...], record: dict[str, Any]) -> None:
    """Make the chunks of a block durable, then record them with their checksums."""
    files = Files(store)
    keys = [key for layer in layers for key in chunk_keys(store, level, layer, window)]
    files.sync(key for key in keys if (store / key).exists())
    Ledger(store, level).commit(block, {**record, "chunks": {key: _checksum(files, key) for key in keys}})


def check(store: Path, record: dict[str, Any]) -> list[str]:
    """Chunks of a record that are gone or changed."""
    files = Files(store)
    return [key for key, said in record["chunks"].items() if _checksum(files, key) != said]


def chunk_keys(store: Path, level: int, layer: str, window: Window) -> Iterator[str]:
    """Keys of the chunk (or shard) files that a window covers."""
    array = open_layer(store, level, layer)
    rows, cols = array.shards or array.chunks
    for row in range(window.row // rows, -(-(window.row + window.height) // rows)):
        for col in range(window.col // cols, -(-(window.col + window.width) // cols)):
            yield f"{level}/{layer}/{array.metadata.encode_chunk_key((row, col))}"


def _checksum(files: Files, key: str) -> str:
    data = files.get(key)
    return EMPTY if data is None else hashlib.blake2b(data, digest_size=16).hexdigest()
