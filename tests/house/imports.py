"""Which file imports which, and which room imports which.

Every import statement counts, also those inside functions and those for type checkers.
What the package's own ``__init__`` imports does not count: it is the door, and passes on what stands behind it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tests.house.modules import DOOR, Module


def file_graph(modules: Sequence[Module]) -> dict[str, frozenset[str]]:
    """Per module, the modules of the package that it imports; a parent folder is imported only where it is named."""
    names = {module.name for module in modules}
    return {
        module.name: frozenset(_targets(module, names) - {module.name}) if module.room != DOOR else frozenset()
        for module in modules
    }


def room_graph(modules: Sequence[Module]) -> dict[str, frozenset[str]]:
    """Per room, the other rooms that it imports."""
    rooms = {module.name: module.room for module in modules}
    graph: dict[str, set[str]] = {room: set() for room in rooms.values()}
    for name, targets in file_graph(modules).items():
        graph[rooms[name]] |= {rooms[target] for target in targets} - {rooms[name]}
    return {room: frozenset(targets) for room, targets in graph.items()}


def _targets(module: Module, names: set[str]) -> set[str]:
    return {target for target in (_nearest(imported, names) for imported in _imported(module)) if target}


def _imported(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _base(module: Module, node: ast.ImportFrom) -> str:
    """The absolute name that a ``from`` names; each dot after the first goes one folder up."""
    if not node.level:
        return node.module or ""
    parts = module.folder.split(".")
    return ".".join(parts[: len(parts) - node.level + 1] + ([node.module] if node.module else []))


def _nearest(name: str, names: set[str]) -> str | None:
    """The module that holds a dotted name: the name itself, or the module that defines it."""
    return name if name in names else name.rpartition(".")[0] if name.rpartition(".")[0] in names else None
