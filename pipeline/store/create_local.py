"""Stores on disk: made and deleted by moving the whole, so that nobody ever sees a part."""

from __future__ import annotations

import glob
import re
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.store.files import files_at
from pipeline.store.files.local import PARTIAL, file_age, filesystem_time
from pipeline.store.files.outage import DISK_FULL_ERRNOS

STALE_S = 3600.0
"""Seconds after which what nobody moved into place is debris."""
REMOVAL_WAITS_S = (0.01, 0.1, 1.0)
"""After each try to remove a store whose writing failed: writes that were under way put files where others are gone."""
_UNFINISHED = re.compile(rf"\.[0-9a-f]{{32}}{re.escape(PARTIAL)}$")
"""Ending of a file that was being written beside a store: its picture, its report. All of the name of one that asked a
disk for its time."""


def create(path: Path, build: Callable[[Path], None]) -> bool:
    """Make an empty store beside its place, and move it there.

    Parameters
    ----------
    path
        Where it will be.
    build
        Writes the empty store into a folder.

    Returns
    -------
    bool
        False where something is there already; it is left as it is.

    Raises
    ------
    StoreError
        The folder cannot be written.
    OSError
        The disk is full.
    """
    partial = _hidden(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        build(partial)
        files_at(partial).sync(list(files_at(partial).list()))
        if path.exists():
            return False
        partial.rename(path)
        files_at(path.parent).sync([path.name])
    except OSError as error:
        if path.exists():
            return False
        if error.errno in DISK_FULL_ERRNOS:
            raise
        raise StoreError(
            f"output.path {path} cannot be made ({error.strerror}). Give a path in a folder that can be written."
        ) from error
    finally:
        _remove(partial)
    return True


def _remove(partial: Path) -> None:
    """Remove a store that was not moved into place, into which threads of zarr may still be writing."""
    for seconds in REMOVAL_WAITS_S:
        shutil.rmtree(partial, ignore_errors=True)
        if not partial.exists():
            return
        time.sleep(seconds)


def delete_local(path: Path) -> None:
    """Move a store out of the way, then delete it; raises OSError."""
    place = path.resolve()  # the path may be a link
    hidden = _hidden(place)
    place.rename(hidden)
    shutil.rmtree(hidden)


def remove_stale_partials(path: Path) -> None:
    """Remove what killed creators left beside a store, and what was killed while it wrote the files that go with it."""
    now = filesystem_time(path.parent)
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*{PARTIAL}"):
        if file_age(partial, now) > STALE_S:
            shutil.rmtree(partial, ignore_errors=True)
    written = [file for file in path.parent.glob(f"{glob.escape(path.stem)}.*") if _UNFINISHED.search(file.name)]
    probes = [file for file in path.parent.glob(f".*{PARTIAL}") if _UNFINISHED.match(file.name)]
    for partial in (*written, *probes):
        if partial.is_file() and file_age(partial, now) > STALE_S:
            with suppress(OSError):  # somebody else's, in a folder that many share
                partial.unlink()


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL}")
