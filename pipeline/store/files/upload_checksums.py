"""Checksums of what this process sent to object storage, so that no chunk is fetched back for its commit record.

The storage checks what arrives against the signature of the request, so that what was sent is what is there.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pipeline.locations import Place

EMPTY_CHUNK = "empty"
"""Stands for a chunk that holds nothing but the fill value and has no file."""

_uploaded: dict[str, str] = {}
"""By URL; a block takes out what it sent when it is committed."""


def chunk_checksum(data: Any) -> str:
    """Of the bytes of a chunk's file, as it stands in commit records."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def remember(url: str, digest: str) -> None:
    """Remember the checksum of an object that was sent, or that it was removed."""
    _uploaded[url] = digest


def pop(store: Place, key: str) -> str | None:
    """The checksum of what this process sent last under a key, once; None where it sent nothing."""
    return _uploaded.pop(str(store / key), None)
