"""Which shards of a job are through, by the notes that they left in the store; they go when it is finished."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.geometry.shards import Shard
from pipeline.locations import Place
from pipeline.store.files import Files, files_at
from pipeline.store.lifecycle import main_layer_of

NOTES = "shards"
"""Name of the folder of notes, below an array, where no Zarr reader looks."""
_NAME = re.compile(r"shard-(\d+)-of-(\d+)\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShardNote:
    """What a note says."""

    shard: Shard
    whole: bool
    written_at: float


def write_shard_note(store: Place, shard: Shard, whole: bool) -> None:
    """Note that a shard has ended, and whether all its blocks are committed."""
    files_at(store).put(
        f"{shard_notes_folder(store)}/{shard.name}.json", json.dumps({"whole": whole, "when": time.time()}).encode()
    )


def unreported_shards(store: Place) -> tuple[int, list[int]] | None:
    """Shards that have not said that all their blocks are committed.

    Returns
    -------
    tuple or None
        How many shards there are, by the youngest note, and which of them; None where none has left any.
    """
    notes = list(_notes(files_at(store), shard_notes_folder(store)))
    if not notes:
        return None
    count = max(notes, key=lambda note: note.written_at).shard.count
    whole = {note.shard.index for note in notes if note.shard.count == count and note.whole}
    return count, [index for index in range(1, count + 1) if index not in whole]


def delete_shard_notes(store: Place) -> None:
    """Remove the notes: every block is there."""
    files = files_at(store)
    for key in list(files.list(shard_notes_folder(store))):
        files.delete(key)


def shard_notes_folder(store: Place) -> str:
    """Where the notes of a store lie, such as ``0/mask/shards``."""
    return f"0/{main_layer_of(store)}/{NOTES}"


def _notes(files: Files, folder: str) -> Iterator[_ShardNote]:
    for key in list(files.list(folder)):
        match = _NAME.fullmatch(key.rpartition("/")[2])
        if match is None:
            continue
        try:
            document = json.loads(files.get(key) or b"")
            note = _ShardNote(
                shard=Shard(index=int(match[1]), count=int(match[2])),
                whole=bool(document["whole"]),
                written_at=float(document["when"]),
            )
        except (ValueError, KeyError, TypeError):  # a note that cannot be read says nothing
            continue
        yield note
