"""Where a factory is that is named by its module.

From the config's folder, as a file is, whichever command is run and wherever.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

MAX_PARENT_FOLDERS = 3
"""Folders above the config's that are looked at where Python itself knows no such module."""
_PACKAGE = Path(__file__).resolve().parents[1]
"""Our own package: factories of ours are found by their names alone."""


def anchored_factory(factory: str, folder: Path) -> str:
    """A factory with the folder that it is found in.

    Parameters
    ----------
    factory
        ``file.py:callable``, ``folder/package.module:callable`` or ``package.module:callable``.
    folder
        Of the config, or the working directory for what is given on the command line.

    Returns
    -------
    str
        The same with an absolute path before it; as it is where Python finds the module by itself, or nobody does.
    """
    place, colon, name = factory.rpartition(":")
    if not colon:
        return factory
    if place.endswith(".py"):
        return f"{_absolute(place, folder)}:{name}"
    where, slash, module = place.rpartition("/")
    if slash:
        return f"{_absolute(where or '/', folder)}/{module}:{name}"
    root = _folder(module.partition(".")[0], folder)
    return factory if root is None else f"{root}/{module}:{name}"


def _absolute(path: str, folder: Path) -> str:
    return os.path.normpath(folder / Path(path).expanduser())


def _folder(top: str, folder: Path) -> Path | None:
    """The config's folder; the working directory and folders above it only where the module is not Python's to find."""
    if not top.isidentifier():
        return None
    if _holds(folder, top):
        return folder
    file = _importable(top)
    candidates = (Path.cwd(), *folder.parents[:MAX_PARENT_FOLDERS])
    return next(
        (
            other
            for other in candidates
            if _holds(other, top) and (file is None or file.is_relative_to(other / top) or file == other / f"{top}.py")
        ),
        None,
    )


def _holds(folder: Path, top: str) -> bool:
    package = folder / top
    return (folder / f"{top}.py").is_file() or (package.is_dir() and package.resolve() != _PACKAGE)


def _importable(top: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None
