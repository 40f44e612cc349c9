"""The ledger: one commit record per block, written once its chunks are durable.

Records lie below an array (``0/mask/ledger/r00012/b00003.json``), where no Zarr reader looks, fanned out by block row;
in a store without a mask below ``0/values``, and those of a derived layer below its own array. What is in the store is
what has a record; nothing is deduced from which chunks exist. A record whose chunks are gone is removed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from pipeline.errors import StoreError
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.locations import Place, Remote
from pipeline.store.files import Files, files_at, upload_checksums
from pipeline.store.layers import array_key, leading_layer
from pipeline.store.lifecycle import main_layer_of, open_layer

ABSENT_CHUNK = upload_checksums.EMPTY_CHUNK
"""Stands for a chunk that holds nothing but the fill value and has no file."""
_ROW = re.compile(r"r(\d+)$")
_NAMES = re.compile(r"^b(\d+)\.(json|failed)$", re.MULTILINE)

BlockPosition = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRecords:
    """What is noted of the blocks of one row, by the names of their records alone."""

    row: int
    committed: list[int]
    """Columns of blocks that have a record, in order."""
    failed: list[int]
    """Columns of blocks that have a note of a failure, in order; one that was committed meanwhile may be among them."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The records of one level of a store."""

    store: Place
    level: int = 0
    layer: str | None = None
    """Below whose array they lie; None for the layer that all others of the store follow."""

    @property
    def _files(self) -> Files:
        return files_at(self.store)

    @property
    def _folder(self) -> str:
        return f"{array_key(self.level, self.layer or main_layer_of(self.store))}/ledger"

    def commit(self, block: BlockPosition, record: dict[str, Any]) -> None:
        """Write a block's record; a failure noted before is forgotten."""
        self._files.put(self._key(block, "json"), json.dumps(record, sort_keys=True).encode())
        self._files.delete(self._key(block, "failed"))

    def drop(self, block: BlockPosition) -> None:
        """Forget a block's record, so that it is made anew."""
        self._files.delete(self._key(block, "json"))

    def fail(self, block: BlockPosition, reason: str) -> None:
        """Note why a block is not committed."""
        self._files.put(self._key(block, "failed"), json.dumps({"error": reason}).encode())

    def listed(self) -> Iterator[BlockPosition]:
        """Blocks that have a record, in order, one folder at a time."""
        return ((records.row, col) for records in self.rows() for col in records.committed)

    def rows(self) -> Iterator[RowRecords]:
        """What is noted of each row that has anything, in order: one row is held at a time, and no record is read."""
        return self._rows(self._folder)

    def committed(self) -> set[BlockPosition]:
        """Blocks that have a record, by listing alone."""
        return set(self.listed())

    def committed_in(self, row: int) -> set[BlockPosition]:
        """Blocks of one block row that have a record: what a pass over very many blocks holds at once."""
        return {(records.row, col) for records in self._rows(self._row(row)) for col in records.committed}

    def count(self) -> int:
        """How many blocks have a record."""
        return sum(len(records.committed) for records in self.rows())

    def failures(self) -> dict[BlockPosition, str]:
        """Blocks that failed when they were last tried and are not committed since, and why."""
        return self.reasons((records.row, col) for records in self.rows() for col in records.failed)

    def reasons(self, blocks: Iterable[BlockPosition]) -> dict[BlockPosition, str]:
        """Why each of some blocks failed, of those that have a note and are not committed since."""
        notes = ((block, self._read_or_empty(self._key(block, "failed"))) for block in blocks)
        return {
            block: _reason(data)
            for block, data in notes
            if data is not None and not self._files.exists(self._key(block, "json"))
        }

    def record(self, block: BlockPosition) -> dict[str, Any] | None:
        """What was recorded of a block, or None.

        Raises
        ------
        StoreError
            There is something else in its place.
        """
        key = self._key(block, "json")
        try:
            data = self._files.get(key)
            record = None if data is None else json.loads(data)
        except (OSError, ValueError) as error:
            raise _damaged(self.store, key) from error
        if record is not None and not _is_record(record):
            raise _damaged(self.store, key)
        return record

    def place(self, block: BlockPosition) -> str:
        """Key of a block's record, below the store."""
        return self._key(block, "json")

    def _read_or_empty(self, key: str) -> bytes | None:
        try:
            return self._files.get(key)
        except OSError:
            return b""

    def _key(self, block: BlockPosition, ending: str) -> str:
        return f"{self._row(block[0])}/b{block[1]:05d}.{ending}"

    def _row(self, row: int) -> str:
        return f"{self._folder}/r{row:05d}"

    def _rows(self, folder: str) -> Iterator[RowRecords]:
        for key, names in self._files.folders(folder):
            match = _ROW.search(key)
            notes = _NAMES.findall("\n".join(names)) if match else []
            if match and notes:
                yield RowRecords(
                    row=int(match[1]),
                    committed=[int(col) for col, ending in notes if ending == "json"],
                    failed=[int(col) for col, ending in notes if ending == "failed"],
                )


def commit_block(
    store: Place, level: int, block: BlockPosition, window: Window, layers: tuple[str, ...], record: dict[str, Any]
) -> None:
    """Make the chunks of a block durable, then record them with their checksums.

    Of what was sent, where that is known, or else of what is there.
    """
    files = files_at(store)
    keys = [key for layer in layers for key in chunk_keys(store, level, layer, window)]
    files.sync(key for key in keys if files.exists(key))
    sums = {key: upload_checksums.pop(store, key) or _checksum(files, key) for key in keys}
    Ledger(store, level, leading_layer(layers)).commit(block, {**record, "chunks": sums})


def changed_chunks(store: Place, record: dict[str, Any]) -> list[str]:
    """Chunks of a record that are gone or changed; every one is read."""
    files = files_at(store)
    return [key for key, recorded in record["chunks"].items() if _checksum_or_none(files, key) != recorded]


def missing_chunks(store: Place, record: dict[str, Any]) -> list[str]:
    """Chunks of a record that are gone; none is read."""
    files = files_at(store)
    return [key for key, recorded in record["chunks"].items() if recorded != ABSENT_CHUNK and not files.exists(key)]


def has_any_chunk(store: Place, level: int, layer: str, window: Window) -> bool:
    """Whether any chunk of a window has a file; where none has, all of it is the fill value."""
    files = files_at(store)
    return any(files.exists(key) for key in chunk_keys(store, level, layer, window))


def written_part(store: Place, level: int, layers: Iterable[str], window: Window) -> Window | None:
    """The part of a window around all of its chunks that have a file; None where none has.

    On object storage, where each look is a request, all of the window where any chunk has a file.
    """
    if isinstance(store, Remote):
        return window if any(has_any_chunk(store, level, layer, window) for layer in layers) else None
    files = files_at(store)
    written = [chunk for layer in layers for key, chunk in _chunks(store, level, layer, window) if files.exists(key)]
    if not written:
        return None
    rows, cols = (
        Span(min(span.start for span in spans), max(span.stop for span in spans))
        for spans in ([chunk.rows for chunk in written], [chunk.cols for chunk in written])
    )
    return Window.of(rows, cols).intersect(window)


def chunk_keys(store: Place, level: int, layer: str, window: Window) -> Iterator[str]:
    """Keys of the chunk (or shard) files that a window covers, of every class where a layer has them."""
    return (key for key, _ in _chunks(store, level, layer, window))


def _chunks(store: Place, level: int, layer: str, window: Window) -> Iterator[tuple[str, Window]]:
    """The same, each with its pixels, which may reach beyond the raster."""
    array = open_layer(store, level, layer)
    *planes, height, width = array.shards or array.chunks
    axes = [range(-(-length // plane)) for length, plane in zip(array.shape, planes, strict=False)]
    axes += [
        range(axis.start // side, -(-axis.stop // side)) for axis, side in ((window.rows, height), (window.cols, width))
    ]
    for place in product(*axes):
        *_, row, col = place
        pixels = Window(row=row * height, col=col * width, height=height, width=width)
        yield f"{array_key(level, layer)}/{array.metadata.encode_chunk_key(place)}", pixels


def _checksum(files: Files, key: str) -> str:
    data = files.get(key)
    return ABSENT_CHUNK if data is None else upload_checksums.chunk_checksum(data)


def _checksum_or_none(files: Files, key: str) -> str | None:
    """Checksum of a chunk; None where what stands in its place cannot be read."""
    try:
        return _checksum(files, key)
    except OSError:
        return None


def _is_record(record: Any) -> bool:
    chunks = record.get("chunks") if isinstance(record, dict) else None
    return isinstance(chunks, dict) and all(isinstance(value, str) for value in chunks.values())


def _damaged(store: Place, key: str) -> StoreError:
    return StoreError(
        f"the commit record {key} in {store} cannot be read. Delete it and run the job again, which makes "
        f"its block anew."
    )


def _reason(data: bytes) -> str:
    """Why a block failed, by its note."""
    try:
        return str(json.loads(data)["error"])
    except (ValueError, KeyError, TypeError):
        return "the note that says why cannot be read"


def drop_records_of_missing_chunks(
    store: Place, level: int, blocks: Iterable[BlockPosition] | None = None, layer: str | None = None
) -> int:
    """Drop records that cannot be read or name a chunk that is gone, of some blocks or of all.

    Their blocks are made anew. No chunk is read.

    A kill never does this, since a record comes after its chunks are durable; disks, copies and people do.

    Returns
    -------
    int
        How many were dropped.
    """
    ledger = Ledger(store, level, layer)
    incomplete = list(_with_missing_chunks(ledger, ledger.listed() if blocks is None else blocks))
    for block in incomplete:
        ledger.drop(block)
    return len(incomplete)


def _with_missing_chunks(ledger: Ledger, blocks: Iterable[BlockPosition]) -> Iterator[BlockPosition]:
    for block in blocks:
        try:
            record = ledger.record(block)
        except StoreError:
            yield block
            continue
        if record is not None and missing_chunks(ledger.store, record):
            yield block
