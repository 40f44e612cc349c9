"""What is known of the pieces of a mosaic, kept in the user's cache: each is opened once, and again where it changed.

A file that is missing, cut short, damaged or of another release is none: the pieces are opened anew.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import SourceError
from pipeline.geometry.grid import Grid
from pipeline.privacy.concealed import is_concealing
from pipeline.runtime.resources import cache_folder
from pipeline.sources.mosaics.look import read_facts
from pipeline.sources.mosaics.marks import digest, marks_of, sidecars_of
from pipeline.sources.mosaics.piece import Piece, PieceFacts

INDEX_VERSION = 1
"""Raised where what is kept of a piece changes, so that older files are not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of a piece, and by what that is seen to hold still."""

    mark: str
    """As `marks_of` has it."""
    sidecars: str
    """As `sidecars_of` has it."""
    facts: PieceFacts


def entries_of(pieces: Sequence[Piece], config: SourceConfig, timeout: float | None) -> list[Entry | SourceError]:
    """What is known of each piece, or why it cannot be opened.

    Parameters
    ----------
    pieces
        Of one mosaic.
    config
        By which the index is found again.
    timeout
        ``execution.read_timeout``, s.
    """
    path = _place(pieces, config)
    indexed = {} if is_concealing() else read_index(path)
    sidecars = {piece.name: sidecars_of(piece) for piece in pieces}
    unchanged = _unchanged_entries(pieces, indexed, sidecars)
    unknown = [piece for piece in pieces if piece.name not in unchanged]
    looked: dict[str, Entry | SourceError] = dict(_looked_at(unknown, sidecars, timeout))
    entries = [unchanged.get(piece.name) or looked[piece.name] for piece in pieces]
    if unknown or len(indexed) != len(unchanged):
        write_index(path, {p.name: e for p, e in zip(pieces, entries, strict=True) if isinstance(e, Entry)})
    return entries


def _unchanged_entries(
    pieces: Sequence[Piece], indexed: Mapping[str, Entry], sidecars: Mapping[str, str]
) -> dict[str, Entry]:
    """The entries of pieces whose files are as they were."""
    old = [piece for piece in pieces if piece.name in indexed and piece.facts is None]
    marks = marks_of(old, [indexed[piece.name].facts.files for piece in old])
    return {
        piece.name: entry
        for piece, mark in zip(old, marks, strict=True)
        if (entry := indexed[piece.name]).mark == mark and entry.sidecars == sidecars[piece.name]
    }


def _looked_at(
    pieces: Sequence[Piece], sidecars: Mapping[str, str], timeout: float | None
) -> Iterator[tuple[str, Entry | SourceError]]:
    """Name and entry of pieces that were opened, or of which the caller knows all."""
    to_open = [piece for piece in pieces if piece.facts is None]
    facts = dict(zip([piece.name for piece in to_open], read_facts(to_open, timeout), strict=True))
    results = [piece.facts or facts[piece.name] for piece in pieces]
    good = [(piece, value) for piece, value in zip(pieces, results, strict=True) if isinstance(value, PieceFacts)]
    marks = marks_of([piece for piece, _ in good], [value.files for _, value in good])
    for (piece, value), mark in zip(good, marks, strict=True):
        yield piece.name, Entry(mark=mark, sidecars=sidecars[piece.name], facts=value)
    yield from ((p.name, value) for p, value in zip(pieces, results, strict=True) if isinstance(value, SourceError))


def _place(pieces: Sequence[Piece], config: SourceConfig) -> Path:
    """Where the index of a mosaic lies; a list that grows keeps it."""
    where = config.path if isinstance(config.path, str) else str(Path(pieces[0].name).parent)
    settings = pieces[0].settings.model_dump_json(exclude={"path", "overlap", "unreadable", "resampling"})
    return cache_folder() / "mosaics" / f"{digest(json.dumps([INDEX_VERSION, where, settings]))}.json"


def read_index(path: Path) -> dict[str, Entry]:
    """What a file says; nothing where it is no whole index."""
    try:
        check, _, body = path.read_text().partition("\n")
        if check != digest(body):
            return {}
        document = json.loads(body)
        texts = [_frozen(json.loads(text)) for text in document["texts"]]
        return {name: _entry(row, texts) for name, row in document["pieces"].items()}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}


def write_index(path: Path, indexed: Mapping[str, Entry]) -> None:
    """Write whole or not at all; a cache that cannot be written costs time alone.

    Nothing is written where names are concealed (`output.redact`), since an index holds the names of all pieces.
    """
    if is_concealing():
        return
    texts: dict[str, int] = {}
    rows = {name: _row(entry, texts) for name, entry in indexed.items()}
    body = json.dumps({"texts": list(texts), "pieces": rows}, separators=(",", ":"))
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(f"{digest(body)}\n{body}")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


_SHARED = ("wkt", "code", "unit", "dtype", "notes", "news", "rgb")
"""What thousands of pieces have in common, and is kept once."""
_GRID = [field.name for field in fields(Grid)]
_FACTS = [field.name for field in fields(PieceFacts) if field.name != "grid"]


def _row(entry: Entry, texts: dict[str, int]) -> list[Any]:
    def plain(owner: Grid | PieceFacts, name: str) -> Any:
        value = getattr(owner, name)
        return texts.setdefault(json.dumps(value), len(texts)) if name in _SHARED else value

    facts = entry.facts
    return [entry.mark, entry.sidecars, [plain(facts.grid, n) for n in _GRID], [plain(facts, n) for n in _FACTS]]


def _entry(row: list[Any], texts: Sequence[Any]) -> Entry:
    mark, sidecars, grid, values = row
    facts = PieceFacts(grid=Grid(**_values(_GRID, grid, texts)), **_values(_FACTS, values, texts))
    return Entry(mark=mark, sidecars=sidecars, facts=facts)


def _values(names: Sequence[str], row: Sequence[Any], texts: Sequence[Any]) -> Mapping[str, Any]:
    pairs = zip(names, row, strict=True)
    return {name: texts[value] if name in _SHARED else _frozen(value) for name, value in pairs}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
