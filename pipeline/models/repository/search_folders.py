"""Where the imports of a factory are looked for.

Beside its file, above its package, and where people start their programs.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ModelError

MARKS = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "environment.yml")
"""What lies at the top of a repository."""
MAX_PARENTS = 4
"""Folders that are looked at above a root where nothing marks the top of a repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactoryLocation:
    """A factory's module, and the folders that hold what it imports."""

    module: str
    """Its dotted name, below a root or wherever Python finds it."""
    file: Path | None
    """Where the factory is named by its file."""
    first: tuple[str, ...]
    """Folders that come before what is installed."""
    last: tuple[str, ...]
    """Folders that come after it."""


def locate_factory(factory: str, key: str = "model.factory") -> FactoryLocation:
    """The place of ``file.py``, ``folder/package.module`` or ``package.module`` that a key of the config names.

    Raises
    ------
    ModelError
        It names a file that does not exist.
    """
    if factory.endswith(".py"):
        return _file(Path(os.path.normpath(Path(factory).absolute())), factory, key)
    folder, slash, module = factory.rpartition("/")
    root = os.path.normpath(Path(folder or "/").absolute()) if slash else None
    return FactoryLocation(module=module, file=None, first=(root,) if root else (), last=_last(root, None))


def _file(file: Path, text: str, key: str) -> FactoryLocation:
    if not file.is_file():
        raise ModelError(
            f"{key} names {text}, which does not exist. Give file.py:callable relative to the config file."
        )
    root, deep = file.parent, 0
    while (root / "__init__.py").is_file() and root != root.parent:
        root, deep = root.parent, deep + 1
    for _ in range(_level(file) - deep):  # its relative imports say that it is in a package, though nothing marks one
        root = root.parent
    name = file.stem.replace(".", "_")
    packages = file.parent.relative_to(root).parts
    module = ".".join(packages) if name == "__init__" else ".".join((*packages, name))
    return FactoryLocation(module=module, file=file, first=(str(root),), last=_last(str(root), str(file.parent)))


def _level(file: Path) -> int:
    """How many packages the relative imports of a file go up."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # told by Python when it is imported
        return 0
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def _last(root: str | None, neighbour: str | None) -> tuple[str, ...]:
    """Beside the file, above the root as far as its repository goes, and the working directory."""
    above = _parents_to_search(Path(root)) if root else []
    folders = [*([neighbour] if neighbour else []), *map(str, above), str(Path.cwd())]
    return tuple(folder for folder in dict.fromkeys(folders) if folder != root)


def _parents_to_search(root: Path) -> list[Path]:
    folders: list[Path] = []
    if _marked(root):
        return folders
    for parent in root.parents:
        if parent in (Path.home(), Path(parent.anchor)) or len(folders) == MAX_PARENTS:
            break
        folders.append(parent)
        if _marked(parent):
            return folders
    return folders


def _marked(folder: Path) -> bool:
    return any((folder / mark).exists() for mark in MARKS)
