"""Stores on disk: made and deleted by moving the whole, so that nobody ever sees a part."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.store.away import FULL
from pipeline.store.disk import PARTIAL, age, clock
from pipeline.store.files import Files

STALE_S = 3600.0
"""Seconds after which a skeleton that nobody moved into place is debris."""


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
        Files(partial).sync(list(Files(partial).list()))
        if path.exists():
            return False
        partial.rename(path)
        Files(path.parent).sync([path.name])
    except OSError as error:
        if path.exists():
            return False
        if error.errno in FULL:
            raise
        raise StoreError(f"output.path {path} cannot be made ({error.strerror}). Give a path in a folder that can be written.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def delete(path: Path) -> None:
    """Move a store out of the way, then delete it; raises OSError."""
    place = path.resolve()  # the path may be a link
    away = _hidden(place)
    place.rename(away)
    shutil.rmtree(away)


def sweep(path: Path) -> None:
    """Remove what killed creators left beside a store."""
    now = clock(path.parent)
    for partial in path.parent.glob(f".{path.name}.*{PARTIAL}"):
        if age(partial, now) > STALE_S:
            shutil.rmtree(partial, ignore_errors=True)


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL}")
