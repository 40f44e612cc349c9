"""Files of a scene on object storage: listed, read whole, or read as a file by ranges."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from pipeline.errors import SourceError
from pipeline.locations import SCHEMES, Remote
from pipeline.redact import mask_urls
from pipeline.store.files.clients import client, need_obstore, translate_errors

if TYPE_CHECKING:
    from typing_extensions import Buffer

READ_AHEAD_BYTES = 2**20
"""That one request fetches of an archive."""


def product_place(path: str) -> Remote:
    """Where a product lies. Raises SourceError where products are not listed there."""
    if path.partition("://")[0] in SCHEMES:
        return Remote(path)
    raise SourceError(
        f"source.path is {mask_urls(path)}, where the files of a product cannot be listed. Products may lie on disk, "
        f"or at s3://, gs:// and az://; elsewhere give a template such as https://host/B{{band}}.tif or a mapping."
    )


def remote_names(place: Remote) -> tuple[str, ...]:
    """Names below a prefix, relative and sorted. Raises SourceError where it cannot be listed."""
    obstore, prefix = need_obstore(), f"{place.key}/"
    with _as_source_error(place):
        pages = list(obstore.list(client(place.scheme, place.bucket), prefix))
    return tuple(sorted(entry["path"].removeprefix(prefix) for page in pages for entry in page))


def read_remote(place: Remote) -> bytes:
    """All bytes of a small object. Raises SourceError where it cannot be read."""
    obstore = need_obstore()
    with _as_source_error(place):
        return bytes(obstore.get(client(place.scheme, place.bucket), place.key).bytes())


@contextmanager
def open_remote(place: Remote) -> Iterator[BinaryIO]:
    """An object that is read by ranges. Raises SourceError where it cannot be read."""
    obstore = need_obstore()
    with _as_source_error(place):
        reader = obstore.open_reader(client(place.scheme, place.bucket), place.key)
        yield cast(BinaryIO, io.BufferedReader(_RangeReader(reader), READ_AHEAD_BYTES))


class _RangeReader(io.RawIOBase):
    """An object as a file of Python, by ranges of what is read at once."""

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


@contextmanager
def _as_source_error(place: Remote) -> Iterator[None]:
    try:
        with translate_errors(mask_urls(str(place))):
            yield
    except FileNotFoundError as error:
        raise SourceError(f"source.path is {mask_urls(str(place))}, which does not exist.") from error
