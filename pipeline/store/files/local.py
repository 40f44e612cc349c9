"""Small files in a folder on disk: durable, atomic, and listed without reading them."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PARTIAL = ".partial"
"""Ending of files that are not finished; nobody reads them."""

_durable: set[Path] = set()
"""Folders that this process has made durable, with all that lead to them: what is put into one needs no more than the
folder itself."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Keys below a root folder; `Files` says what each method means."""

    root: Path

    def put(self, key: str, data: bytes) -> None:
        """Write beside the file, then replace it."""
        path = self.root / key
        partial = self._write_partial(path, data)
        try:
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        self._sync_folders([path])

    def put_file(self, key: str, file: Path) -> None:
        """Move a file of the same disk to its name."""
        _sync(file)
        path = self.root / key
        file.replace(path)
        self._sync_folders([path])

    def create(self, key: str, data: bytes) -> bool:
        """Write beside the file, then link it to its name, which fails where there is one."""
        path = self.root / key
        partial = self._write_partial(path, data)
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        finally:
            partial.unlink(missing_ok=True)
        self._sync_folders([path])
        return True

    def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Contents, or None where there is no such file."""
        try:
            with (self.root / key).open("rb") as file:
                return file.read(-1 if max_bytes is None else max_bytes)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def get_end(self, key: str, max_bytes: int) -> bytes | None:
        """Last bytes, or None where there is no such file."""
        try:
            with (self.root / key).open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - max_bytes, 0))
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        return (self.root / key).is_file()

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys of finished files below a folder, in order, one folder at a time."""
        below = str(self.root / prefix)
        for path in _walk(below):
            if not path.endswith(PARTIAL):
                yield f"{prefix}{path[len(below) :]}".lstrip("/")

    def folders(self, prefix: str = "") -> Iterator[tuple[str, Sequence[str]]]:
        """Names of finished files below a folder, in order, with the key of the folder that holds them."""
        below = str(self.root / prefix)
        for folder, names in _folders(below):
            yield f"{prefix}{folder[len(below) :]}".lstrip("/"), [name for name in names if not name.endswith(PARTIAL)]

    def delete(self, key: str) -> None:
        """Remove a file, if it is there."""
        (self.root / key).unlink(missing_ok=True)

    def sync(self, keys: Iterable[str]) -> None:
        """Make files that somebody else wrote durable, and the folders that lead to them."""
        paths = [self.root / key for key in keys]
        for path in paths:
            _sync(path)
        self._sync_folders(paths)

    def remove_partials(self, older_than: float = 0.0) -> int:
        """Remove what killed writers left unfinished."""
        now = filesystem_time(self.root)
        debris = [
            path for path in _walk(str(self.root)) if path.endswith(PARTIAL) and file_age(Path(path), now) >= older_than
        ]
        for path in debris:
            Path(path).unlink(missing_ok=True)
        return len(debris)

    def _write_partial(self, path: Path, data: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            partial.unlink(missing_ok=True)  # a full disk should not be filled further
            raise
        return partial

    def _sync_folders(self, paths: Iterable[Path]) -> None:
        """A name is durable once its folder is, and the folder's own name once the one above is.

        So all of them, up to one that is known, or the root.
        """
        folders = {folder for path in paths for folder in self._not_synced(path)}
        for folder in sorted(folders, reverse=True):
            _sync(folder)
        _durable.update(folders)

    def _not_synced(self, path: Path) -> Iterator[Path]:
        for folder in path.parents:
            if not folder.is_relative_to(self.root):
                return
            yield folder
            if folder in _durable:
                return


def clear_durable_folders() -> None:
    """Take no folder for durable that was so: it may have been replaced since."""
    _durable.clear()


def filesystem_time(folder: Path) -> float:
    """Seconds since the epoch by the clock that stamps the files of a folder.

    Ours may be another, of another machine, or wrong.
    """
    probe = folder / f".{uuid.uuid4().hex}{PARTIAL}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:  # a disk that is full has no room for it, and sweeping makes some
        return time.time()
    finally:
        probe.unlink(missing_ok=True)


def file_age(path: Path, now: float) -> float:
    """Seconds since a file was last written, by `filesystem_time`; negative where it is gone."""
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:
        return -1.0


def _walk(folder: str) -> Iterator[str]:
    """Files below a folder, in order. Folders that vanish meanwhile are passed over."""
    for name, is_folder in sorted(_entries(folder)):
        path = f"{folder}/{name}"
        if is_folder:
            yield from _walk(path)
        else:
            yield path


def _folders(folder: str) -> Iterator[tuple[str, list[str]]]:
    """A folder and all below it, in order, each with the names of its files; those without files are left out."""
    entries = _entries(folder)
    names = [name for name, is_folder in entries if not is_folder]
    if names:
        yield folder, sorted(names)
    for name in sorted(name for name, is_folder in entries if is_folder):
        yield from _folders(f"{folder}/{name}")


def _entries(folder: str) -> list[tuple[str, bool]]:
    """Names in a folder, and whether each is one itself; none where it vanished meanwhile."""
    try:
        with os.scandir(folder) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
