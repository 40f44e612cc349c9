"""Files of arrays on object storage and on servers of HTTP."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from fsspec.caching import BlockCache  # type: ignore[import-untyped]
from zarr.storage import StorePath

from pipeline.errors import SourceError, StoreError
from pipeline.locations import SCHEMES, Remote, parse_place
from pipeline.redact import mask_urls
from pipeline.runtime.optional_imports import require
from pipeline.store.files.clients import client, first_error_line, translate_errors
from pipeline.store.files.objects import Objects, objects

BLOCK_BYTES, MAX_CACHED_BLOCKS = 2**18, 64
"""What is fetched at once of a file whose parts lie anywhere, and how many of these are kept."""
MAX_LISTED_OBJECTS = 20_000
"""Chunks of an array that are listed for its identity: twenty requests."""
_GDAL_NAMES = {"/vsis3/": "s3://", "/vsigs/": "gs://", "/vsiaz/": "az://", "/vsicurl/": ""}
_HTTP = re.compile(r"(https?://[^/]+)/?(.*)")


def plain_url(path: str) -> str:
    """A URL, also where GDAL's name of it is given."""
    for prefix, scheme in _GDAL_NAMES.items():
        if path.startswith(prefix):
            return scheme + path.removeprefix(prefix)
    return path


def zarr_store(path: str) -> StorePath:
    """The root of a hierarchy of Zarr behind a URL."""
    url = plain_url(path)
    if (match := _HTTP.fullmatch(url)) is not None:
        return StorePath(_http_objects(match[1]), _plain_key(match[2], path))
    place = _place(path)
    return StorePath(objects(place.scheme, place.bucket), place.key)


@functools.lru_cache(maxsize=16)
def _http_objects(host: str) -> Objects:
    store = Objects(_http_client(host))
    store.where = host
    return store


@functools.lru_cache(maxsize=16)
def _http_client(host: str) -> Any:
    stores = require("obstore.store", "cloud", "An array behind a URL")
    return stores.HTTPStore.from_url(host, client_options={"allow_http": True})


def _plain_key(key: str, path: str) -> str:
    if "?" in key or "#" in key:
        raise SourceError(
            f"source.path is {mask_urls(path)}, and kind: zarr takes no signed URL. Give s3://…, gs://… or az://… with "
            f"credentials in the environment, or a public URL."
        )
    return key.rstrip("/")


def _place(path: str) -> Remote:
    try:
        place = parse_place(plain_url(path))
    except ValueError as error:
        raise SourceError(
            f"source.path is {mask_urls(path)}, which kind: zarr cannot read: arrays lie on disk, behind https://… or "
            f"on object storage, {', '.join(f'{scheme}://…' for scheme in SCHEMES)}."
        ) from error
    assert isinstance(place, Remote)
    return place


def client_of(path: str) -> tuple[Any, str]:
    """The client that reads a file, and the file's key."""
    url = plain_url(path)
    if (match := _HTTP.fullmatch(url)) is not None:
        return _http_client(match[1]), _plain_key(match[2], path)
    place = _place(path)
    return client(place.scheme, place.bucket), place.key


@contextmanager
def as_source_error(path: str) -> Iterator[None]:
    """What object storage raises, as the fault of a source.

    Raises
    ------
    ExtraError
        The extra ``cloud`` is not installed.
    SourceError
        There is no such file, or the storage refuses it.
    Unfinished
        The storage is away.
    """
    require("obstore", "cloud", "An array behind a URL")
    try:
        with translate_errors(mask_urls(path)):
            yield
    except FileNotFoundError as error:
        raise SourceError(
            f"source.path is {mask_urls(path)}, which does not exist. Give a file that is there."
        ) from error
    except StoreError as error:
        raise SourceError(
            f"source.path is {mask_urls(path)}, which cannot be read ({first_error_line(error.__cause__ or error)}). "
            f"Credentials come from the environment, a profile or the machine's role."
        ) from error


def object_facts(place: StorePath) -> str:
    """ETag, or size and date, of an object; empty where there is none."""
    import obstore

    store = place.store
    assert isinstance(store, Objects)
    try:
        with translate_errors(store.where):
            meta = obstore.head(store.store, place.path)
    except (FileNotFoundError, StoreError):
        return ""
    return meta["e_tag"] or f"{meta['size']} {meta['last_modified'].isoformat()}"


def listed_objects(place: StorePath) -> list[str]:
    """Name, ETag and size of the first objects below a place; nothing where a server lists none."""
    import obstore

    store = place.store
    assert isinstance(store, Objects)
    try:
        with translate_errors(store.where):
            pages = obstore.list(store.store, f"{place.path}/", chunk_size=1000)
            metas = [meta for page in islice(pages, MAX_LISTED_OBJECTS // 1000) for meta in page]
    except (FileNotFoundError, StoreError, NotImplementedError):
        return []
    return sorted(f"{meta['path']} {meta['e_tag']} {meta['size']}" for meta in metas)


def file_size(path: str) -> int:
    """Bytes of a remote file. Raises SourceError."""
    import obstore

    store, key = client_of(path)
    with as_source_error(path):
        return int(obstore.head(store, key)["size"])


def read_ranges(path: str, starts: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
    """Ranges of bytes of a remote file; near ones come by one request."""
    import obstore

    store, key = client_of(path)
    with as_source_error(path):
        parts = obstore.get_ranges(store, key, starts=list(starts), lengths=list(lengths))
        return [bytes(part) for part in parts]


class RemoteFile(io.RawIOBase):
    """A remote file as a library reads one on disk; its blocks are fetched once while they are kept."""

    def __init__(self, path: str) -> None:
        self._size, self._position = file_size(path), 0

        def fetch(start: int, end: int) -> bytes:
            return read_ranges(path, [start], [end - start])[0]

        self._cache = BlockCache(BLOCK_BYTES, fetch, self._size, MAX_CACHED_BLOCKS)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place, bytes."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer as far as there is more; how many bytes that are."""
        view = memoryview(buffer).cast("B")
        data = self._cache._fetch(self._position, min(self._position + len(view), self._size))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
