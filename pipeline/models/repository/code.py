"""The code that a network is made by.

The sources in the closure of its factory's imports, and versions of what is installed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import SOURCE_SUFFIXES
from pathlib import Path

from pipeline.errors import ModelError
from pipeline.models.architectures import name_in_fingerprints, revision
from pipeline.models.repository import module_search
from pipeline.models.repository.installed import distribution, is_standard, standard
from pipeline.models.repository.namespace import OWN_PACKAGE, World
from pipeline.models.repository.opened_files import file_digest

BY_VERSION = {"torch", "numpy"}
"""Libraries that all networks run in: a release of theirs rounds otherwise, and is told where it matters."""
_first_seen: dict[Path, str] = {}
"""Digests of sources that Python itself imported, when they were first looked at: what runs is what was there then."""

Code = dict[str, str]
"""Digest of the source, or version, by the name of a module or distribution."""


def code_of(world: World | None, module: str) -> Code:
    """What a factory's module is made of.

    Parameters
    ----------
    world
        Of the repository that it belongs to; None where Python itself finds it.
    module
        Its plain name.

    Raises
    ------
    ModelError
        A source that Python imported into this process was changed since.
    """
    code, todo, visited = Code(), [(module, world is not None)], set[tuple[str, bool]]()
    while todo:
        name, isolated = todo.pop()
        if not name or (name, isolated) in visited:
            continue
        visited.add((name, isolated))
        isolated = isolated and world is not None and (name == module or name in world.sources or world.owns(name))
        entry = _in_world(world, name) if isolated and world is not None else _in_python(name)
        if entry is None:
            continue
        code[entry[0]] = entry[1]
        if entry[2] is not None:
            todo += [
                (other, isolated)
                for other in (
                    *_imports(entry[2], name),
                    *(sorted(world.edges[name]) if isolated and world is not None else ()),
                )
            ]
    return dict(sorted(code.items()))


def reads_of(world: World | None, code: Code) -> dict[str, str]:
    """What modules opened while they were imported: digests by path."""
    return (
        {}
        if world is None
        else {path: old_digest for name in code for path, old_digest in world.reads.get(name, {}).items()}
    )


def _in_world(world: World, name: str) -> tuple[str, str, Path | None] | None:
    """Name, digest and file of a repository's module; None where it is a package without code, or no module at all."""
    if name in world.sources:
        file, old_digest = world.sources[name]
        return name, old_digest, file
    if name in world.pinned:
        return name, file_digest(world.pinned[name]), world.pinned[name]
    spec = world.find(name.partition(".")[0])
    spec = None if spec is None else module_search.find_submodule(spec, name)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return None
    file = Path(spec.origin)
    return name, file_digest(file), file if file.suffix in SOURCE_SUFFIXES else None


def _in_python(name: str) -> tuple[str, str, Path | None] | None:
    """The same of a module that Python finds.

    The user's by its source, what is installed by its version, ours by its revision.
    """
    top = name.partition(".")[0]
    if top == OWN_PACKAGE:
        number = revision(name)
        return None if number is None else (name_in_fingerprints(name), f"revision {number}", None)
    if standard(top) or top in BY_VERSION:
        return None
    file = _file(name)
    if file is None or is_standard(file):
        return None
    release = distribution(file)
    if release is not None:
        return None if release[0].lower() in BY_VERSION else (release[0], release[1], None)
    return name, _unchanged(file), file if file.suffix in SOURCE_SUFFIXES else None


def _file(name: str) -> Path | None:
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    if path is None and module is None:
        spec = module_search.find_on_sys_path(name.partition(".")[0])
        spec = None if spec is None else module_search.find_submodule(spec, name)
        path = None if spec is None else spec.origin
    return Path(path).resolve() if path is not None and Path(path).is_file() else None


def _unchanged(file: Path) -> str:
    now = file_digest(file)
    if _first_seen.setdefault(file, now) != now:
        raise ModelError(
            f"{file}, which makes the network, was changed since this process imported it, and what runs is "
            f"what it was. Start the process anew: "
            "the command, or the Dask worker."
        )
    return now


def _imports(file: Path, name: str) -> Iterator[str]:
    """Plain names of all that a source imports anywhere, and of what may be modules among it.

    Packages above them are imported, too.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        for imported in _imported_names(node, package):
            yield from _chain(imported)


def _imported_names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = module_search.absolute(node.module or "", package, node.level) if node.level else node.module or ""
        yield base
        yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*")


def _chain(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: k + 1]) for k in range(len(parts)))
