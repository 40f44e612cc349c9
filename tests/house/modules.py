"""The modules of a package, read as syntax trees and never imported."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "pipeline"
DOOR = "__init__"
"""The room of the package's own ``__init__``."""


@dataclass(frozen=True, eq=False)
class Module:
    """One file of the package."""

    name: str
    """Dotted, with the package: ``pipeline.store.ledger``; a folder stands for its ``__init__``."""
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_folder(self) -> bool:
        """Whether the file is the ``__init__`` of a folder."""
        return self.path.stem == "__init__"

    @property
    def room(self) -> str:
        """The folder or the loose module at the top of the package that the file belongs to."""
        return [*self.name.split("."), DOOR][1]

    @property
    def folder(self) -> str:
        """The dotted name of the folder that the file lies in."""
        return self.name if self.is_folder else self.name.rpartition(".")[0]

    @property
    def lines(self) -> int:
        """Lines of the file."""
        return len(self.text.splitlines())


@cache
def modules(root: Path = ROOT) -> tuple[Module, ...]:
    """Every module of the checkout at ``root``, sorted by name."""
    files = (root / PACKAGE).rglob("*.py")
    return tuple(sorted((_module(root, path) for path in files), key=lambda module: module.name))


def _module(root: Path, path: Path) -> Module:
    parts = path.relative_to(root).with_suffix("").parts
    text = path.read_text()
    return Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path, text, ast.parse(text))
