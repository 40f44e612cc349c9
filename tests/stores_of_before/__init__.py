"""Stores that an earlier release made, half finished or complete.

Each lies with its config, raster and network in one archive.

A store remembers the path and the time of its raster, so the archives are unpacked where they were packed. Arithmetic
of the half-finished ones is exact: pixels are small integers, weights are −1, 0 and 1, and every sum fits into a
float32, so that each machine computes the same labels.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLACE = Path("/tmp/wholecloth-store-of-before")
"""The folder that the stores remember."""
MODIFIED_S = 1_700_000_000
"""The time of the raster that the stores remember."""
ARCHIVES = Path(__file__).parent
NAMES = ("classifier", "factory", "fcn8s")


@contextmanager
def exclusive() -> Iterator[Path]:
    """The folder, empty at first and deleted at the end, for one process of the machine at a time."""
    with open(PLACE.with_name(f"{PLACE.name}.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir()
        try:
            yield PLACE
        finally:
            shutil.rmtree(PLACE)


def unpack(name: str) -> Path:
    """The folder of a store, as it was when its run stopped."""
    folder = PLACE / name
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive(name)) as packed:
        packed.extractall(folder, filter="data")
    os.utime(folder / "scene.tif", (MODIFIED_S, MODIFIED_S))
    return folder


def pack(folder: Path) -> None:
    """Put all files of a folder into its archive."""
    with tarfile.open(archive(folder.name), "w:xz", preset=9) as packed:
        packed.add(folder, ".", filter=anonymous)


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry without the user who wrote it."""
    return entry.replace(uid=0, gid=0, uname="", gname="", deep=False)


def archive(name: str) -> Path:
    """The archive of a store."""
    return ARCHIVES / f"{name}.tar.xz"
