"""Small files on object storage: every request is whole or not at all, and one that breaks off is made again."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError, Unfinished
from pipeline.locations import Remote
from pipeline.store.files.clients import client, translate_errors
from pipeline.store.files.uploads import abort_uploads

_WRITER = "writer"
"""Metadata of an object that was created: by this a writer knows his own, where the answer to his request was lost and
he asked again."""
_TRIES = 5
LARGE_BYTES = 2**28
"""A file that is larger is uploaded in parts, so that one that breaks off need not be sent anew from its start."""
PART_BYTES = 2**24
"""Of one part; 10,000 of them are 156 GiB."""
_BATCH = 1000
"""Objects deleted by one request."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Keys below a prefix; `Files` says what each method means."""

    root: Remote

    def put(self, key: str, data: bytes) -> None:
        """One PUT, of whatever size: uploads in parts leave debris where they are cut off."""
        import obstore

        with self._writing():
            obstore.put(self._client, self._path(key), data, use_multipart=False)

    def put_file(self, key: str, file: Path) -> None:
        """One PUT, or the parts of one upload where a file is larger; then the file goes."""
        import obstore

        large = file.stat().st_size > LARGE_BYTES
        if large:
            abort_uploads(self.root.scheme, self.root.bucket, self._path(key))
        with self._writing():
            obstore.put(self._client, self._path(key), file, use_multipart=large, chunk_size=PART_BYTES)
        file.unlink()

    def create(self, key: str, data: bytes) -> bool:
        """One PUT on the condition that there is no such object.

        A second request tells whose it is, where there is one.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        writer_id = uuid.uuid4().hex
        for _ in range(_TRIES):
            try:
                with self._writing():
                    obstore.put(self._client, self._path(key), data, mode="create", attributes={_WRITER: writer_id})
            except AlreadyExistsError:
                writer = self._writer(key)
                if writer is not None:
                    return writer == writer_id
            else:
                return True
        raise Unfinished(f"{self.root / key} comes and goes while we try to create it. Run the same command again.")

    def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Contents, or None where there is no such object."""
        import obstore

        try:
            with translate_errors(self.root):
                response = obstore.get(self._client, self._path(key))
                if max_bytes is None:
                    return bytes(response.bytes())
                return b"".join(bytes(part) for part in islice(response.stream(min_chunk_size=max_bytes), 1))[
                    :max_bytes
                ]
        except FileNotFoundError:
            return None

    def get_end(self, key: str, max_bytes: int) -> bytes | None:
        """Last bytes, or None where there is no such object."""
        import obstore

        try:
            with translate_errors(self.root):
                size = obstore.head(self._client, self._path(key))["size"]
                start = max(size - max_bytes, 0)
                return bytes(obstore.get_range(self._client, self._path(key), start=start, end=size))
        except FileNotFoundError:
            return None

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        import obstore

        try:
            with translate_errors(self.root):
                obstore.head(self._client, self._path(key))
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys below a folder as the storage orders them, a request for each thousand."""
        import obstore

        below, pages = (
            len(self._path("")),
            iter(obstore.list(self._client, self._path(prefix).rstrip("/"), chunk_size=_BATCH)),
        )
        while True:
            try:
                with translate_errors(self.root):
                    page = next(pages, None)
            except FileNotFoundError:  # no such bucket
                return
            if page is None:
                return
            yield from (item["path"][below:] for item in page)

    def folders(self, prefix: str = "") -> Iterator[tuple[str, Sequence[str]]]:
        """Names of the objects below a folder as the storage orders them, with the key of the folder that holds them.

        By the same requests as `list`.
        """
        for folder, keys in groupby(self.list(prefix), key=lambda key: key.rpartition("/")[0]):
            yield folder, [key[len(folder) :].lstrip("/") for key in keys]

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        self.clear([key])

    def clear(self, keys: Sequence[str]) -> None:
        """Remove many objects."""
        import obstore

        size = _BATCH if self.root.scheme == "s3" else 1  # elsewhere one that is not there keeps the others
        for start in range(0, len(keys), size):
            with suppress(FileNotFoundError), translate_errors(self.root):
                obstore.delete(self._client, [self._path(key) for key in keys[start : start + size]])

    def sync(self, keys: Iterable[str]) -> None:
        """What was put is durable."""

    def remove_partials(self, older_than: float = 0.0) -> int:
        """Nothing is ever half there."""
        return 0

    @property
    def _client(self) -> Any:
        return client(self.root.scheme, self.root.bucket)

    def _path(self, key: str) -> str:
        return f"{self.root.key}/{key}".lstrip("/")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with translate_errors(self.root):
                yield
        except FileNotFoundError as error:
            raise StoreError(
                f"{self.root} cannot be written: there is no bucket {self.root.bucket}. Make it first, or "
                f"give another output.path."
            ) from error

    def _writer(self, key: str) -> str | None:
        """Who created an object; None where it is gone."""
        import obstore

        try:
            with translate_errors(self.root):
                return obstore.get(self._client, self._path(key)).attributes.get(_WRITER, "")
        except FileNotFoundError:
            return None
