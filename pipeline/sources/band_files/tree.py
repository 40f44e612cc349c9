"""Files of a scene that lie in a folder, a zip or a tar, on disk or remote: names, bytes, and GDAL's paths."""

from __future__ import annotations

import tarfile
import zipfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from pipeline.errors import SourceError
from pipeline.locations import Place, Remote
from pipeline.sources.band_files.remote_files import open_archive, product_place, read_remote, remote_names
from pipeline.sources.gdal.options import is_remote, mask_urls

COMPRESSED_TARS = (".gz", ".tgz", ".bz2", ".xz")
ARCHIVES = (".zip", ".tar")
"""Endings by which an archive is known that is not on disk."""


class Tree(Protocol):
    """A folder or an archive, with all its files."""

    @property
    def path(self) -> str:
        """As the config names it, without secrets."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of files, relative, with slashes, sorted."""

    def gdal_path(self, name: str) -> str:
        """How GDAL opens one of the files."""

    def read(self, name: str) -> bytes:
        """The bytes of a small file."""

    def statted(self, name: str) -> str:
        """The file whose size and date say whether a file of the scene is the same: itself, or the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder on disk, or a prefix of object storage."""

    place: Place
    names: tuple[str, ...]

    @property
    def path(self) -> str:
        """As messages name it."""
        return mask_urls(str(self.place))

    def gdal_path(self, name: str) -> str:
        """How GDAL opens one of the files."""
        return str(self.place / name)

    statted = gdal_path

    def read(self, name: str) -> bytes:
        """The bytes of a small file."""
        file = self.place / name
        return read_remote(file) if isinstance(file, Remote) else file.read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A zip, or a tar that is not compressed."""

    place: Place
    names: tuple[str, ...]
    zipped: bool

    @property
    def path(self) -> str:
        """As messages name it."""
        return mask_urls(str(self.place))

    def gdal_path(self, name: str) -> str:
        """How GDAL opens one of the files."""
        return f"/vsi{'zip' if self.zipped else 'tar'}/{_gdal_file(self.place)}/{name}"

    def statted(self, name: str) -> str:
        """The archive: its files have no dates of their own that would tell more."""
        return str(self.place)

    def read(self, name: str) -> bytes:
        """The bytes of a small file."""
        with _opened(self.place) as file:
            if self.zipped:
                with zipfile.ZipFile(file) as archive:
                    return archive.read(name)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                return cast(BinaryIO, tar.extractfile(name)).read()


def tree_of(path: str) -> Tree | None:
    """The files of a folder, zip or uncompressed tar; None where a path is neither.

    Raises
    ------
    ExtraError
        It is on object storage, and the extra ``cloud`` is not installed.
    SourceError
        It is a compressed tar, cut short, or remote and cannot be listed.
    """
    if is_remote(path):
        return _remote_tree(product_place(path.rstrip("/")))
    place = Path(path)
    if place.is_dir():
        inner = (file for file in place.rglob("*") if file.is_file())
        return Folder(place=place, names=tuple(sorted(file.relative_to(place).as_posix() for file in inner)))
    return _archive(place) if place.is_file() else None


def _remote_tree(place: Remote) -> Tree | None:
    if place.suffix.lower() in (*ARCHIVES, *COMPRESSED_TARS):
        return _archive(place)
    names = remote_names(place)
    return Folder(place=place, names=names) if names else None


def _archive(place: Place) -> Archive | None:
    if place.suffix.lower() in COMPRESSED_TARS:
        raise SourceError(
            f"source.path is {mask_urls(str(place))}, a compressed tar, in which no band can be read by itself. Unpack "
            f"it, and give the folder."
        )
    try:
        with _opened(place) as file:
            zipped = zipfile.is_zipfile(file)
            file.seek(0)
            names = _names_in_zip(file) if zipped else _names_in_tar(file)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"source.path is {mask_urls(str(place))}, which cannot be listed: {error}. Fetch it anew."
        ) from error
    return Archive(place=place, names=tuple(sorted(names)), zipped=zipped) if names else None


def _opened(place: Place) -> AbstractContextManager[BinaryIO]:
    return open_archive(place) if isinstance(place, Remote) else place.open("rb")


def _gdal_file(place: Place) -> str:
    """A file as GDAL names it within another of its names."""
    return f"/vsi{place.scheme}/{place.bucket}/{place.key}" if isinstance(place, Remote) else str(place)


def _names_in_zip(file: BinaryIO) -> list[str]:
    with zipfile.ZipFile(file) as archive:
        return [name for name in archive.namelist() if not name.endswith("/")]


def _names_in_tar(file: BinaryIO) -> list[str]:
    """Of a tar; none where the file is something else."""
    if not tarfile.is_tarfile(file):
        return []
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:") as archive:
        return [member.name for member in archive if member.isfile()]
