"""Open files of a thread, which sources of several bands of one file share: GDAL decodes a block of all bands once."""

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
    """The handles of one file, one in each thread. Pickles as a name: a process has one of it."""

    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    _local: threading.local = field(default_factory=threading.local, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        process_singleton.register(self.name, self)

    def __reduce__(self) -> tuple[Any, ...]:
        return process_singleton.get_or_create, (type(self), self.name, {})

    def close(self) -> None:
        """Let this thread's handle go."""
        self._local.__dict__.clear()

    def handle_of(self, path: str, settings: Settings, access: FileAccess | None) -> Handle:
        """The handle of this thread, or a new one where its signature is about to end. Raises SourceError."""
        handle: Handle | None = getattr(self._local, "handle", None)
        if handle is None or (access is not None and handle.signed != access.signed(path)):
            with gdal_env(settings):
                handle = self._local.handle = _open(path, access)
        return handle

    def may_succeed_now(self, path: str, access: FileAccess | None) -> bool:
        """Close this thread's handle, whose read failed, and tell whether another read may succeed at once."""
        handle: Handle | None = getattr(self._local, "handle", None)
        self.close()  # a handle that failed once may go on failing
        if access is None:
            return False
        signed = access.signed(path) if handle is None or handle.signed is None else handle.signed
        return access.may_succeed_now(path, signed)


def _open(path: str, access: FileAccess | None) -> Handle:
    if access is None:
        return Handle(dataset=open_dataset(path))
    opened = access.open_patiently(path)
    return Handle(dataset=opened.dataset, env=partial(access.env, opened.signed), signed=opened.signed)
