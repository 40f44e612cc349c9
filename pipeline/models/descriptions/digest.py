"""Digests of files of a package, each computed once while the file stays as it is."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pipeline.models.weights import sha256


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file, hex."""
    state = path.stat()
    return _digest(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=32)
def _digest(path: Path, size: int, modified: int) -> str:
    return sha256(path)
