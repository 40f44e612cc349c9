"""Which shards of a job are through, by the reports that they left beside the store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"\.shard-(\d+)-of-(\d+)\.report\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a report says."""

    index: int
    count: int
    whole: bool
    age: float


def unheard(store: Path, made: str) -> tuple[int, list[int]] | None:
    """Shards that have not said that all their blocks are committed.

    Parameters
    ----------
    store
        The store.
    made
        Its id: reports of another store, which stood there before, do not count.

    Returns
    -------
    tuple or None
        How many shards there are, by the youngest report, and which of them; None where none has reported.
    """
    told = list(_reports(store, made))
    if not told:
        return None
    count = max(told, key=lambda one: one.age).count
    whole = {one.index for one in told if one.count == count and one.whole}
    return count, [index for index in range(1, count + 1) if index not in whole]


def _reports(store: Path, made: str) -> Iterator[_Told]:
    for path in store.parent.iterdir():
        match = _NAME.fullmatch(path.name.removeprefix(store.stem))
        if match is None or not path.name.startswith(store.stem):
            continue
        try:
            said, age = json.loads(path.read_bytes()), path.stat().st_mtime
        except (OSError, ValueError):
            continue
        if isinstance(said, dict) and said.get("made") == made:
            yield _Told(index=int(match[1]), count=int(match[2]), whole=bool(said.get("complete")), age=age)
