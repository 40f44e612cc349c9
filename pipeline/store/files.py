"""Small files below a store: durable, atomic, and listed without reading them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PARTIAL = ".partial"
"""Ending of files that are not finished; nobody reads them."""


@dataclass(frozen=True, slots=True)
class Files:
    """Keys below a root folder. What an object store offers, and no more, so that one can take its place."""

    root: Path

    def put(self, key: str, data: bytes) -> None:
        """Write or replace a file; it is whole and durable when this returns."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync(path.parent)

    def get(self, key: str) -> bytes | None:
        """Contents, or None where there is no such file."""
        try:
            return (self.root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def list(self, prefix: str) -> Iterator[str]:
        """Keys of finished files below a folder, in order."""
        folder = self.root / prefix
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.endswith(PARTIAL):
                yield path.relative_to(self.root).as_posix()

    def delete(self, key: str) -> None:
        """Remove a file, if it is there."""
        (self.root / key).unlink(missing_ok=True)

    def sync(self, keys: Iterable[str]) -> None:
        """Make files that somebody else wrote durable, and their folders."""
        paths = [self.root / key for key in keys]
        for path in paths:
            _sync(path)
        for folder in {path.parent for path in paths}:
            _sync(folder)

    def sweep(self) -> int:
        """Remove what killed writers left unfinished; returns how many files that were."""
        debris = [path for path in self.root.rglob(f"*{PARTIAL}") if path.is_file()]
        for path in debris:
            path.unlink(missing_ok=True)
        return len(debris)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
