"""A model package in a zip file: it is checked before anything of it is read, and only what is needed is unpacked."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import uuid
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path, PurePosixPath

from pipeline.errors import ModelError
from pipeline.runtime.resources import cache_folder, human

MAX_MEMBERS = 10_000
MAX_MEMBER_BYTES = 16 * 2**30
"""Of one file, unpacked."""
MAX_RATIO = 200
"""Bytes unpacked per byte packed; weights shrink by less than 2, masks by up to 100."""
FREE_BYTES = 2**20
"""A file of this size may shrink as it will."""
COPY_BYTES = 2**20
DOWNLOAD_ADVICE = "Download the package again from where it is published, or unpack it and give its folder."


def members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """The files of a package by their names.

    Raises
    ------
    ModelError
        The archive is damaged, or holds a name, a link or a size that no package has.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ModelError(f"model.path {path} cannot be read as a zip file: {error}. {DOWNLOAD_ADVICE}") from error
    if len(entries) > MAX_MEMBERS:
        raise ModelError(
            f"model.path {path} holds {len(entries):,} files, and {MAX_MEMBERS:,} are allowed. {DOWNLOAD_ADVICE}"
        )
    for entry in entries:
        if reason := _fault(entry):
            raise ModelError(f"model.path {path} is refused: its file {entry.filename!r} {reason}. {DOWNLOAD_ADVICE}")
    return {entry.filename: entry for entry in entries if not entry.is_dir()}


def is_package(path: Path, names: tuple[str, ...]) -> bool:
    """Whether a file is a zip archive with one of these names at its top, or in its one folder."""
    try:
        state = path.stat()
    except OSError:
        return False
    return _holds_any(path.resolve(), names, (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns))


@lru_cache(maxsize=64)
def _holds_any(path: Path, names: tuple[str, ...], _: tuple[int, ...]) -> bool:
    """As `is_package`, read once for each state of the file: every command asks several times."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(is_top_member(member, name) for member in archive.namelist() for name in names)
    except (OSError, zipfile.BadZipFile):
        return False


def is_top_member(member: str, name: str, within: int | None = 1) -> bool:
    """Whether a file of an archive bears a name, at its top or at most ``within`` folders deep; None for any depth."""
    folder = member.removesuffix(name)
    if folder == member or not (folder == "" or folder.endswith("/")):
        return False
    return within is None or folder.count("/") <= within


def read_member(path: Path, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """The bytes of one small file, at most ``limit`` + 1 of them; raises ModelError where they are damaged."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
            return file.read(limit + 1)
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise _damaged(path, entry, error) from error


def unpacked(path: Path, entry: zipfile.ZipInfo) -> Path:
    """One file of a package in the folder of caches, written whole or not at all.

    Raises
    ------
    ModelError
        The file is damaged, or the folder cannot be written.
    """
    target = cache_folder() / "packages" / _key(path) / PurePosixPath(entry.filename)
    if target.is_file() and target.stat().st_size == entry.file_size:
        return target
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path) as archive, archive.open(entry) as source, partial.open("wb") as file:
            shutil.copyfileobj(source, file, COPY_BYTES)
        os.replace(partial, target)
    except (RuntimeError, zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise _damaged(path, entry, error) from error
    except OSError as error:
        raise ModelError(
            f"{entry.filename} of {path} cannot be unpacked into {target.parent}: {error.strerror or error}. Set "
            f"WHOLECLOTH_CACHE to a folder with {human(entry.file_size)} of room, or unpack the package and give its "
            f"folder."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def _damaged(path: Path, entry: zipfile.ZipInfo, error: Exception) -> ModelError:
    return ModelError(f"{entry.filename} of {path} is damaged: {error}. {DOWNLOAD_ADVICE}")


def _key(path: Path) -> str:
    """One folder for each content of a package."""
    state = path.stat()
    return _listing_digest(path.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=16)
def _listing_digest(path: Path, size: int, modified: int) -> str:
    entries = members(path).values()
    listing = [str(size), *(f"{entry.filename} {entry.file_size} {entry.CRC}" for entry in entries)]
    return hashlib.sha256("\n".join(listing).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """Why no package has a file like this; None where one may."""
    if reason := name_fault(entry.filename):
        return reason
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link, and a package holds files alone"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.file_size > MAX_MEMBER_BYTES:
        return f"has {human(entry.file_size)}, and {human(MAX_MEMBER_BYTES)} are allowed"
    if entry.file_size > FREE_BYTES and entry.file_size > MAX_RATIO * entry.compress_size:
        return f"grows from {human(entry.compress_size)} to {human(entry.file_size)} when it is unpacked"
    return None


def name_fault(name: str) -> str | None:
    """Why a name leads out of its folder; None where it does not."""
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        return "has an absolute path"
    if ".." in name.replace("\\", "/").split("/"):
        return "has a path that climbs out of its folder"
    if "\\" in name or "\0" in name:
        return "has a path with a backslash, which is no part of a name here"
    return None
