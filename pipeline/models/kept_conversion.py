"""What was made of a network for a runtime, kept in the cache folder: a network that was seen before is not made again.

It decides pixels. So it is kept of whole files alone, whose bytes decide it, and read only where nobody else may have
written it.

    openvino/KEY/   graph.xml graph.bin graph.json     renamed into place once it is whole
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.models.weights import sha256
from pipeline.runtime.resources import cache_folder

WHOLE_FILES = ("torchscript", "exported")
"""Kinds whose file holds the whole network, code and weights. ONNX files are read as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptConversion:
    """The folder of one conversion.

    Attributes
    ----------
    runtime
        Name of the runtime, a folder in that of the caches.
    key
        All that decides the conversion.
    files
        Names of its files.
    record
        Name of the file beside them, of plain values.
    """

    runtime: str
    key: str
    files: tuple[str, ...]
    record: str

    @property
    def folder(self) -> Path:
        """Where it is, or will be."""
        return cache_folder() / self.runtime / hashlib.sha256(self.key.encode()).hexdigest()

    def read(self) -> dict[str, Any] | None:
        """The plain values beside the files; None where files are absent or changed, or others may have written them.

        Raises nothing for a folder that cannot be read.
        """
        folder = self.folder
        try:
            if not all(_is_private(path) for path in (folder, *(folder / name for name in (*self.files, self.record)))):
                return None
            record: dict[str, Any] = json.loads((folder / self.record).read_text())
            return record if record["key"] == self.key and record["digests"] == self._digests(folder) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, save: Callable[[Path], object], values: Mapping[str, Any]) -> None:
        """Write whole or not at all. A home that is read-only or full costs time at the next command, not this one.

        Parameters
        ----------
        save
            Writes the files into a folder that it is given.
        values
            Plain values, kept beside them.
        """
        folder = self.folder
        partial = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.partial")
        with suppress(Exception):  # whatever the library raises that saves
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.mkdir(mode=0o700)
                save(partial)
                record = {"key": self.key, "digests": self._digests(partial), **values}
                (partial / self.record).write_text(json.dumps(record))
                for name in (*self.files, self.record):
                    (partial / name).chmod(0o600)
                shutil.rmtree(folder, ignore_errors=True)  # one that was not read
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)

    def _digests(self, folder: Path) -> list[Any]:
        return [sha256(folder / name) for name in self.files]


def _is_private(path: Path) -> bool:
    """Whether a file or folder is this user's, no link, and nobody else may write to it; always so on Windows."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return False
    return os.name == "nt" or (status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
