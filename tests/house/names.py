"""Names that the package defines and variables that it binds."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tests.house.modules import Module

Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def public_definitions(module: Module) -> set[str]:
    """Public classes and functions at the top of a module."""
    nodes = (node.name for node in module.tree.body if isinstance(node, (*Function, ast.ClassDef)))
    return {name for name in nodes if not name.startswith("_")}


def public_constants(module: Module) -> set[str]:
    """Public names that a module assigns at its top: constants, tables and types."""
    return {name for node in module.tree.body for name in _assigned(node) if not name.startswith("_")}


def public_methods(module: Module) -> set[str]:
    """Public methods and properties of the classes at the top of a module."""
    classes = (node for node in module.tree.body if isinstance(node, ast.ClassDef))
    return {
        node.name
        for owner in classes
        for node in owner.body
        if isinstance(node, Function) and not node.name.startswith("_")
    }


def homes(modules: Sequence[Module], constants: bool) -> dict[str, list[Module]]:
    """Per public constant, or per public class and function, the modules that define it."""
    table: dict[str, list[Module]] = defaultdict(list)
    for module in modules:
        for name in public_constants(module) if constants else public_definitions(module):
            table[name].append(module)
    return dict(table)


def bound_variables(modules: Sequence[Module]) -> Counter[str]:
    """How often each variable is bound.

    Each place in the text that binds a name counts once: parameters (also of lambdas, and ``self``), and every name
    that is assigned: plain, annotated or augmented, in loops, comprehensions, ``with`` and ``:=``, as constants and as
    fields of classes. The names after ``except … as`` do not count.
    """
    return Counter(name for module in modules for node in ast.walk(module.tree) for name in _bound(node))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id


def _assigned(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (name for target in targets for part in ast.walk(target) for name in _bound(part))
