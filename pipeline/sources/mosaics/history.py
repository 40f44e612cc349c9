"""Which pieces a mosaic had: kept in the user's cache by the digest that a store's fingerprint holds."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.privacy.concealed import is_concealing
from pipeline.runtime.resources import cache_folder
from pipeline.sources.mosaics.marks import digest

MAX_LISTS = 50
"""Lists that are kept; the oldest go."""
MAX_CHANGES = 4
"""Pieces that a message names."""


def digest_of_pieces(names: Sequence[str], marks: Sequence[str]) -> str:
    """What tells these pieces in this order from others.

    The list is kept, so that changes can be named later, unless names are concealed (`output.redact`).
    """
    text = json.dumps([list(names), list(marks)])
    name = digest(text)
    if is_concealing():
        return name
    with suppress(OSError):
        _keep(_place(name), text)
    return name


def piece_changes(then: object, now: object) -> str:
    """Which pieces were added, changed or removed between two digests, as a message says it; empty where unknown."""
    before, after = _read(then), _read(now)
    if not before or not after or then == now:
        return ""
    changes = [f"{name} was added" for name in after if name not in before]
    changes += [f"{name} was changed" for name in after if name in before and before[name] != after[name]]
    changes += [f"{name} is gone" for name in before if name not in after]
    more = f" and {len(changes) - MAX_CHANGES} more" if len(changes) > MAX_CHANGES else ""
    return ", ".join(changes[:MAX_CHANGES]) + more if changes else "its pieces come in another order"


def _place(name: str) -> Path:
    return cache_folder() / "mosaics" / "lists" / f"{name}.json"


def _read(name: object) -> dict[str, str]:
    """Names and marks; nothing where the list is not there, or is damaged."""
    try:
        text = _place(str(name)).read_text()
        return dict(zip(*json.loads(text), strict=True)) if digest(text) == name else {}
    except (OSError, ValueError, TypeError):
        return {}


def _keep(path: Path, text: str) -> None:
    """Write whole or not at all, and drop the oldest lists beyond `MAX_LISTS`."""
    if path.exists():
        os.utime(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
    try:
        partial.write_text(text)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    lists = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
    for old in lists[:-MAX_LISTS]:
        old.unlink(missing_ok=True)
