"""Where the files of a model description lie: in a folder, or in a zip file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from zipfile import ZipInfo

from pipeline.errors import ModelError
from pipeline.models.descriptions import archive
from pipeline.models.descriptions.document import MAX_BYTES

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
DOWNLOAD = "Download the whole package, as it is published, and give that as model.path."


class Package(Protocol):
    """The files of a description; packages can be compared and are keys of caches."""

    def __hash__(self) -> int:
        """Of where it lies."""

    @property
    def path(self) -> Path:
        """As ``model.path`` has it."""

    @property
    def name(self) -> str:
        """The description, for messages."""

    def content(self) -> bytes:
        """The bytes of the description, cut off beyond what is allowed."""

    def holds(self, source: str) -> bool:
        """Whether a file is in the package."""

    def read(self, source: str) -> bytes:
        """The bytes of a small file, cut off beyond what is allowed; raises ModelError where it is not there."""

    def file(self, source: str) -> Path:
        """A file that the description names, on disk; raises ModelError where it is not in the package."""

    def folder(self) -> Path:
        """The folder that names are relative to, on disk, with all files in it."""


@dataclass(frozen=True, slots=True)
class FolderPackage:
    """Files beside a description."""

    path: Path
    document: Path
    root: Path
    """The folder that the names of files are relative to."""

    @property
    def name(self) -> str:
        """The description, for messages."""
        return str(self.document)

    def content(self) -> bytes:
        """The bytes of the description, cut off beyond what is allowed; raises ModelError where it cannot be read."""
        return _read(self.document)

    def holds(self, source: str) -> bool:
        """Whether a file is beside the description."""
        return (self.root / _local_name(source, self.name)).is_file()

    def read(self, source: str) -> bytes:
        """The bytes of a small file, cut off beyond what is allowed; raises ModelError as `file`."""
        return _read(self.file(source))

    def file(self, source: str) -> Path:
        """A file that the description names; raises ModelError where it does not lie in the description's folder."""
        folder = self.root.resolve()
        path = folder / _local_name(source, self.name)
        if not path.resolve().is_relative_to(folder):
            raise ModelError(f"{self.name} names {source}, which is a link out of its folder. Copy the file there.")
        if not path.is_file():
            raise ModelError(f"{self.name} names {source}, which is not beside it. {DOWNLOAD}")
        return path

    def folder(self) -> Path:
        """The folder that names are relative to."""
        return self.root.resolve()


@dataclass(frozen=True, slots=True)
class ZipPackage:
    """Files of a zip archive, unpacked one by one when they are asked for."""

    path: Path
    member: str
    root: str
    """The folder in the archive that the names of files are relative to."""

    @property
    def name(self) -> str:
        """The description, for messages."""
        return f"{self.member} in {self.path}"

    def content(self) -> bytes:
        """The bytes of the description, cut off beyond what is allowed; raises ModelError where they are damaged."""
        return archive.read_member(self.path, archive.members(self.path)[self.member], MAX_BYTES)

    def holds(self, source: str) -> bool:
        """Whether the archive has a file beside the description."""
        return self._member(source) in archive.members(self.path)

    def read(self, source: str) -> bytes:
        """The bytes of a small file, cut off beyond what is allowed; raises ModelError as `file`."""
        return archive.read_member(self.path, self._entry(source), MAX_BYTES)

    def file(self, source: str) -> Path:
        """A file that the description names, unpacked; raises ModelError where the archive does not hold it."""
        return archive.unpacked(self.path, self._entry(source))

    def folder(self) -> Path:
        """The folder of the description, with all files of the archive unpacked."""
        for entry in archive.members(self.path).values():
            archive.unpacked(self.path, entry)
        return archive.unpacked(self.path, archive.members(self.path)[self.member]).parents[
            len(PurePosixPath(self.member.removeprefix(self.root)).parts) - 1
        ]

    def _member(self, source: str) -> str:
        return str(PurePosixPath(self.root) / _local_name(source, self.name))

    def _entry(self, source: str) -> ZipInfo:
        entry = archive.members(self.path).get(self._member(source))
        if entry is None:
            raise ModelError(f"{self.name} names {source}, which the zip file does not hold. {DOWNLOAD}")
        return entry


def find_package(path: Path, names: tuple[str, ...], endings: tuple[str, ...] = ()) -> Package | None:
    """The package of ``model.path``; None where that is something else.

    Parameters
    ----------
    path
        A folder with a description, the description itself, or a zip file that holds one.
    names
        Of descriptions, relative to the package's own folder; the first that is there counts.
    endings
        Of files that are descriptions whatever their names, in lower case.

    Raises
    ------
    ModelError
        A zip file with a description is not safe to read.
    """
    if path.is_dir():
        document = next((path / name for name in names if (path / name).is_file()), None)
        return None if document is None else FolderPackage(path, document, path)
    if not path.is_file():
        return None
    absolute = path.absolute()
    name = next((name for name in names if archive.is_top_member(absolute.as_posix(), name, within=None)), None)
    if name is not None:
        return FolderPackage(path, path, absolute.parents[len(PurePosixPath(name).parts) - 1])
    if path.suffix.lower() in endings:
        return FolderPackage(path, path, path.parent)
    return _zip_package(path, names) if archive.is_package(path, names) else None


def _zip_package(path: Path, names: tuple[str, ...]) -> Package:
    """Of several descriptions the one that lies highest."""
    members = sorted(archive.members(path), key=lambda member: (len(PurePosixPath(member).parts), member))
    member, name = next((member, name) for member in members for name in names if archive.is_top_member(member, name))
    return ZipPackage(path, member, member.removesuffix(name))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(f"model.path {path} cannot be read: {error.strerror}. Give another file.") from error


def _local_name(source: str, name: str) -> str:
    if _ADDRESS.match(source):
        raise ModelError(f"{name} names {source}, which would have to be fetched; nothing is. {DOWNLOAD}")
    if reason := archive.name_fault(source):
        raise ModelError(f"{name} names {source}, which {reason}. {DOWNLOAD}")
    return str(PurePosixPath(source))
