"""Files of a scene that lie in a folder, a zip or a tar: their names, their bytes, and GDAL's paths of them."""

from __future__ import annotations

import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A folder or an archive, with all its files."""

    path: str
    names: tuple[str, ...]
    """Of files, relative, with slashes, sorted."""

    def gdal_path(self, name: str) -> str:
        """How GDAL opens one of the files."""
        if Path(self.path).is_dir():
            return str(Path(self.path) / name)
        return f"/vsi{'zip' if zipfile.is_zipfile(self.path) else 'tar'}/{self.path}/{name}"

    def read(self, name: str) -> bytes:
        """The bytes of a small file."""
        if Path(self.path).is_dir():
            return (Path(self.path) / name).read_bytes()
        if zipfile.is_zipfile(self.path):
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(name)
        with tarfile.open(self.path, "r:") as archive:
            member = archive.extractfile(name)
            assert member is not None
            return member.read()

    def statted(self, name: str) -> str:
        """The file whose size and date say whether a file of the scene is the same: itself, or the archive."""
        return str(Path(self.path) / name) if Path(self.path).is_dir() else self.path


def tree_of(path: str) -> Tree | None:
    """The files of a folder, zip or uncompressed tar; None where a path is neither.

    Raises
    ------
    SourceError
        It is a compressed tar, or cut short.
    """
    place = Path(path)
    if place.is_dir():
        inner = (file for file in place.rglob("*") if file.is_file())
        return Tree(path=path, names=tuple(sorted(file.relative_to(place).as_posix() for file in inner)))
    if not place.is_file():
        return None
    try:
        names = _names_in_archive(place)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SourceError(f"source.path is {path}, which cannot be listed: {error}. Fetch it anew.") from error
    return None if names is None else Tree(path=path, names=tuple(sorted(names)))


def _names_in_archive(place: Path) -> list[str] | None:
    if zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            return [name for name in archive.namelist() if not name.endswith("/")]
    if not tarfile.is_tarfile(place):
        return None
    if place.name.endswith((".gz", ".tgz", ".bz2", ".xz")):
        raise SourceError(
            f"source.path is {place}, a compressed tar, in which no band can be read by itself. Unpack it, and give "
            f"the folder."
        )
    with tarfile.open(place, "r:") as archive:
        return [member.name for member in archive if member.isfile()]
