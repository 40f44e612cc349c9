"""Open files of a thread, which sources of several bands of one file share: GDAL decodes a block of all bands once.

A handle of a GeoTIFF comes to hold where each tile lies, read or not: 60 MB of a raster of 10⁶ × 10⁶ px. From
`SHARED_FROM_BYTES` on, all threads read by one handle in turn, which decodes in several threads::

    few tiles          thread 1 → handle 1      thread 2 → handle 2
    millions of them   thread 1, thread 2 → one handle, one after the other
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rasterio.io import DatasetReader

from pipeline.sources.gdal.access import FileAccess
from pipeline.sources.gdal.opening import open_dataset
from pipeline.sources.gdal.options import Settings, gdal_env
from pipeline.sources.gdal.signer import Signed
from pipeline.sources.validity.validity import Validity
from pipeline.sources.wrappers import process_singleton

SHARED_FROM_BYTES = 2**24
"""Size of a table of tiles from which the threads of a process share one handle."""
_TABLE_ENTRY_BYTES = 16
"""Of a tile: where it lies in the file, and how long it is."""
DECODING_THREADS = 4
"""Threads in which a handle decodes that all threads share."""


@dataclass(slots=True, kw_only=True)
class Handle:
    """A file that is open in one thread."""

    dataset: DatasetReader
    env: Callable[[], AbstractContextManager[None]] = nullcontext
    """GDAL told what goes with its signature, in this thread."""
    signed: Signed | None = None
    """The signature that it was opened under."""
    validity: dict[tuple[int, ...], Validity] = field(default_factory=dict)
    """Of the bands of each source that reads it."""


@dataclass(frozen=True, kw_only=True)
class Handles:
    """The handles of one file, one in each thread or one for all. Pickles as a name: a process has one of it."""

    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    _local: threading.local = field(default_factory=threading.local, init=False, repr=False, compare=False)
    _shared: list[Handle] = field(default_factory=list, init=False, repr=False, compare=False)
    """The one that all threads have, where there is one."""
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        process_singleton.register(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        return process_singleton.get_or_create, (type(self), self.name, {})

    def close(self) -> None:
        """Let this thread's handle go, or the one that all have."""
        self._local.__dict__.clear()
        self._shared.clear()

    def reading(self) -> AbstractContextManager[object]:
        """While this thread reads, no other does where all have one handle."""
        return self._lock if self._shared else nullcontext()

    def handle_of(self, path: str, settings: Settings, access: FileAccess | None) -> Handle:
        """The handle of this thread, or a new one where its signature is about to end. Raises SourceError."""
        if shared := self._shared[:1]:
            return shared[0]
        handle: Handle | None = getattr(self._local, "handle", None)
        if handle is None or (access is not None and handle.signed != access.signed(path)):
            with gdal_env(settings):
                handle = _open(path, access)
                if access is None and tile_table_bytes(handle.dataset) >= SHARED_FROM_BYTES:
                    return self._share(path)
            self._local.handle = handle
        return handle

    def _share(self, path: str) -> Handle:
        """The one handle for all threads."""
        with self._lock:
            if not self._shared:
                self._shared.append(Handle(dataset=open_dataset(path, num_threads=DECODING_THREADS)))
            return self._shared[0]

    def may_succeed_now(self, path: str, access: FileAccess | None) -> bool:
        """Close this thread's handle, whose read failed, and tell whether another read may succeed at once."""
        handle: Handle | None = getattr(self._local, "handle", None)
        self.close()  # a handle that failed once may go on failing
        if access is None:
            return False
        signed = access.signed(path) if handle is None or handle.signed is None else handle.signed
        return access.may_succeed_now(path, signed)


def tile_table_bytes(dataset: DatasetReader) -> int:
    """Bytes of the table of tiles that a handle comes to hold; 0 where the format has none."""
    if dataset.driver != "GTiff":
        return 0
    rows, cols = dataset.block_shapes[0]
    planes = 1 if dataset.interleaving is not None and dataset.interleaving.name == "pixel" else dataset.count
    return int(-(-dataset.height // rows) * -(-dataset.width // cols) * planes) * _TABLE_ENTRY_BYTES


def _open(path: str, access: FileAccess | None) -> Handle:
    if access is None:
        return Handle(dataset=open_dataset(path))
    opened = access.open_patiently(path)
    return Handle(dataset=opened.dataset, env=partial(access.env, opened.signed), signed=opened.signed)
