"""Process-wide state: module-level names whose value changes while a process runs.

A name counts if a function rebinds it with ``global``, or if functions of its module change what it is bound to (by
item, by attribute, or by a method such as ``append``), or if it is bound to something that only a function can fill: an
empty container, an event, or values of a thread. Locks do not count: they hold no value. Neither do functions with a
cache, which are listed apart.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.modules import Module

FILLED_LATER = {
    "ContextVar",
    "Counter",
    "Event",
    "OrderedDict",
    "Queue",
    "SimpleQueue",
    "WeakKeyDictionary",
    "WeakSet",
    "WeakValueDictionary",
    "count",
}
FILLED_LATER |= {"defaultdict", "deque", "dict", "list", "local", "set"}
CHANGES = {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "move_to_end"}
CHANGES |= {"pop", "popitem", "popleft", "put", "remove", "set", "setdefault", "update"}
CACHES = {"cache", "cached", "lru_cache"}


def mutable_globals(module: Module) -> list[str]:
    """Names of a module that hold process-wide state."""
    values = {
        name: node.value
        for node in module.tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for name in _names(node)
    }
    changed = _changed(module.tree)
    return sorted(
        name for name, value in values.items() if name in changed or (value is not None and _is_filled_later(value))
    )


def cached_functions(module: Module) -> list[str]:
    """Functions of a module whose results stay in the process."""
    functions = (node for node in ast.walk(module.tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return [
        node.name for node in functions if any(_last_name(decorator) in CACHES for decorator in node.decorator_list)
    ]


def _names(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Name) and not target.id.startswith("__"):
            yield target.id


def _is_filled_later(value: ast.expr) -> bool:
    if isinstance(value, ast.List):
        return not value.elts
    if isinstance(value, ast.Dict):
        return not value.keys
    return (
        isinstance(value, ast.Call)
        and _last_name(value) in FILLED_LATER
        and all(isinstance(part, ast.Constant) for part in value.args)
    )


def _changed(tree: ast.Module) -> set[str]:
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return {name for function in functions for node in ast.walk(function) for name in _changes(node)}


def _changes(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Global):
        yield from node.names
    elif (
        isinstance(node, (ast.Subscript, ast.Attribute))
        and isinstance(node.ctx, (ast.Store, ast.Del))
        and isinstance(node.value, ast.Name)
    ):
        yield node.value.id
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CHANGES
        and isinstance(node.func.value, ast.Name)
    ):
        yield node.func.value.id


def _last_name(node: ast.expr) -> str:
    """The last part of what a decorator or a call names: ``lru_cache`` of ``@functools.lru_cache(8)``."""
    while isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
