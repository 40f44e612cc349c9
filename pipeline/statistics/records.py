"""Commit records of a pass: the counts of each cell, in a folder beside the store that will be.

``NAME.statistics/KEY/PASS/r000000/c00000012.npz``, where KEY stands for raster, area and method, and PASS for what is
counted. A record is made by an atomic create once a cell is counted, on disk as on object storage, so that runs that
start together share a pass, and one that was killed goes on with it. The folder goes with the end of the job.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.locations import Place
from pipeline.statistics.counting import Counting, PlaneCounts
from pipeline.store.files import files_at

FOLDER_CELLS = 1000
"""Records in one folder."""
_RECORD = re.compile(r"[0-9a-f]{16}/[0-9a-f]{16}/r\d{6}/c(\d{8})\.npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecords:
    """The records of one pass."""

    folder: Place
    counting: Counting

    def commit(self, index: int, counts: PlaneCounts) -> None:
        """Write the counts of a cell; where another run was faster its record stays."""
        packed = io.BytesIO()
        np.savez_compressed(packed, **counts)  # type: ignore[arg-type]
        files_at(self.folder).create(self._name(index), packed.getvalue())

    def exists(self, index: int) -> bool:
        """Whether a cell is counted."""
        return files_at(self.folder).exists(self._name(index))

    def committed(self) -> set[int]:
        """Cells that are counted, by listing alone."""
        files = files_at(self.folder)
        return {int(match[1]) for key in files.list(self._pass) if (match := _RECORD.fullmatch(f"{self._key}/{key}"))}

    def read(self, index: int) -> PlaneCounts | None:
        """The counts of a cell; None where there are none, or the record is damaged, which is deleted then."""
        files = files_at(self.folder)
        packed = files.get(self._name(index))
        if packed is None:
            return None
        with suppress(ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
                counts = dict(arrays)
            if self.counting.matches(counts):
                return counts
        files.delete(self._name(index))
        return None

    @property
    def _pass(self) -> str:
        return digest_of(asdict(self.counting))

    @property
    def _key(self) -> str:
        return self.folder.name

    def _name(self, index: int) -> str:
        return f"{self._pass}/r{index // FOLDER_CELLS:06d}/c{index:08d}.npz"


def records_place(store: Place) -> Place:
    """The folder of all records of a store, beside it."""
    return store.with_suffix(".statistics")


def delete_records(store: Place) -> None:
    """Delete the records of a store, and no file beside them."""
    place = records_place(store)
    files = files_at(place)
    for key in [key for key in files.list() if _RECORD.fullmatch(key)]:
        files.delete(key)
    if isinstance(place, Path):
        for folder in (*_folders(place), place):
            with suppress(OSError):  # somebody else's file is in it
                folder.rmdir()


def digest_of(document: dict[str, Any]) -> str:
    """Sixteen digits that stand for plain values."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _folders(place: Path) -> Iterator[Path]:
    """Folders below one, the deepest first."""
    return iter(sorted((path for path in place.rglob("*") if path.is_dir()), reverse=True))
