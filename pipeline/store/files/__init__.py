"""Small files below a store or beside it, wherever it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pipeline.locations import Place, Remote
from pipeline.store.files.clients import need_obstore
from pipeline.store.files.local import PARTIAL, Disk
from pipeline.store.files.object_storage import Bucket

__all__ = ["PARTIAL", "Files", "belongs_to_others", "files_at"]

_MARKED_BYTES = 2**16
"""First and last bytes of a file, by which one of ours is known."""


class Files(Protocol):
    """Keys below a root. What object storage offers and no more, so that a store may lie on it as well as on disk.

    Every method raises OSError where the disk does not obey, Unfinished where object storage is away, and StoreError
    where it refuses.
    """

    def put(self, key: str, data: bytes) -> None:
        """Write or replace a file; it is whole and durable when this returns."""

    def put_file(self, key: str, file: Path) -> None:
        """Put a finished file of the disk in the place of a key; it may be as large as it likes, and is moved.

        It is whole and durable when this returns.
        """

    def create(self, key: str, data: bytes) -> bool:
        """Write a file that must be new; False where there is one already, which is left as it is.

        Of many that try at once exactly one succeeds, and nobody ever sees half a file.
        """

    def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Contents, or their first bytes; None where there is no such file."""

    def get_end(self, key: str, max_bytes: int) -> bytes | None:
        """Last bytes of the contents; None where there is no such file."""

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys of finished files below a folder, in order, one folder at a time."""

    def folders(self, prefix: str = "") -> Iterator[tuple[str, Sequence[str]]]:
        """Names of finished files below a folder, in order, with the key of the folder that holds them.

        The names of one folder are held at a time: cheaper than `list` where there are millions.
        """

    def delete(self, key: str) -> None:
        """Remove a file, if it is there."""

    def sync(self, keys: Iterable[str]) -> None:
        """Make files that somebody else wrote durable, and the folders that lead to them.

        Object storage does so by itself, and takes no key.
        """

    def remove_partials(self, older_than: float = 0.0) -> int:
        """Remove what killed writers left unfinished; on object storage there is no such thing.

        Parameters
        ----------
        older_than
            Seconds since they were last written: a younger one may belong to a writer that is alive.

        Returns
        -------
        int
            How many were removed.
        """


def files_at(root: Place) -> Files:
    """The files below a root; raises ExtraError where object storage is named and its extra is not installed."""
    if not isinstance(root, Remote):
        return Disk(root)
    need_obstore()
    return Bucket(root)


def belongs_to_others(place: Place, mark: str) -> bool:
    """Whether something stands in a place that is no file of ours: those have a mark at their beginning or end."""
    files = files_at(place.parent)
    try:
        head = files.get(place.name, max_bytes=_MARKED_BYTES)
        if head is None or mark.encode() in head:
            return False
        end = files.get_end(place.name, _MARKED_BYTES) if len(head) == _MARKED_BYTES else b""
    except OSError:  # a folder, or what may not be read
        return True
    return end is not None and mark.encode() not in end
