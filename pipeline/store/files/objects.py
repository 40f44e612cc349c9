"""Groups and arrays of a store, as Zarr opens them.

On object storage errors are in our words, and every chunk is one request.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore, StorePath

from pipeline.locations import Place, Remote
from pipeline.store.files.clients import client, translate_errors
from pipeline.store.files.upload_checksums import EMPTY_CHUNK, chunk_checksum, remember


class Objects(ObjectStore[Any]):
    """A bucket, as Zarr sees it."""

    where: str = "object storage"
    """What is named in errors."""

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """As of any store; raises Unfinished or StoreError."""
        with translate_errors(self.where):
            return await super().get(key, prototype, byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """As of any store."""
        with translate_errors(self.where):
            return await super().get_partial_values(prototype, key_ranges)

    async def exists(self, key: str) -> bool:
        """As of any store."""
        with translate_errors(self.where):
            return await super().exists(key)

    async def set(self, key: str, value: Buffer) -> None:
        """One PUT, of whatever size: uploads in parts leave debris where they are cut off."""
        import obstore

        self._check_writable()
        data = value.as_buffer_like()
        with translate_errors(self.where):
            await obstore.put_async(self.store, key, data, use_multipart=False)
        remember(f"{self.where}/{key}", chunk_checksum(data))

    async def delete(self, key: str) -> None:
        """As of any store."""
        with translate_errors(self.where):
            await super().delete(key)
        remember(f"{self.where}/{key}", EMPTY_CHUNK)

    def list(self) -> AsyncGenerator[str, None]:
        """As of any store."""
        return self._translated(super().list())

    def list_prefix(self, prefix: str) -> AsyncGenerator[str, None]:
        """As of any store."""
        return self._translated(super().list_prefix(prefix))

    def list_dir(self, prefix: str) -> AsyncGenerator[str, None]:
        """As of any store."""
        return self._translated(super().list_dir(prefix))

    async def _translated(self, keys: AsyncIterator[str]) -> AsyncGenerator[str, None]:
        with translate_errors(self.where):
            async for key in keys:
                yield key


@functools.lru_cache(maxsize=16)
def objects(scheme: str, bucket: str) -> Objects:
    """The bucket, once per process."""
    store = Objects(client(scheme, bucket))
    store.where = str(Remote(f"{scheme}://{bucket}"))
    return store


def zarr_path(place: Place, key: str = "") -> Path | StorePath:
    """What `zarr.open_array` and its like take for a group or an array of a store.

    Parameters
    ----------
    place
        Of the store.
    key
        Below it, such as ``0/mask``.

    Raises
    ------
    ExtraError
        The store is on object storage, and the extra ``cloud`` is not installed.
    """
    if isinstance(place, Path):
        return place / key
    from pipeline.store.files.objects import objects

    return StorePath(objects(place.scheme, place.bucket), "/".join(part for part in (place.key, key) if part))
