"""An object as a file of Python, read by ranges: for archives, of which little is needed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from pipeline.locations import Remote
from pipeline.store.files.clients import client, need_obstore, translate_errors

if TYPE_CHECKING:
    from typing_extensions import Buffer

READ_AHEAD_BYTES = 2**20
"""That one request fetches."""


@contextmanager
def open_remote(place: Remote) -> Iterator[BinaryIO]:
    """An object that is read by ranges.

    Raises
    ------
    FileNotFoundError
        There is none.
    StoreError, Unfinished
        Object storage refuses us, or is away.
    """
    obstore = need_obstore()
    with translate_errors(place):
        reader = obstore.open_reader(client(place.scheme, place.bucket), place.key)
        yield cast(BinaryIO, io.BufferedReader(_RangeReader(reader), READ_AHEAD_BYTES))


class _RangeReader(io.RawIOBase):
    """A reader of obstore that fills buffers."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        """True, as zipfile asks."""
        return True

    def seekable(self) -> bool:
        """True, as zipfile asks."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The new place, bytes from the start."""
        return int(self._reader.seek(offset, whence))

    def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer, or less of it at the end; the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = bytes(self._reader.read(len(view)))
        view[: len(data)] = data
        return len(data)
