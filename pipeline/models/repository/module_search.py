"""Finding modules without importing them, and telling whose they are."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from pipeline.models.repository.installed import distribution, is_standard, site_of

_PACKAGE = Path(__file__).resolve().parents[2]
"""Our own package."""


def find_in_folders(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    """A module or package without a dot, in the first of some folders that has it.

    One without ``__init__.py`` counts where none has another.
    """
    spec = (
        _listed(PathFinder.find_spec(name, [folder for folder in folders if Path(folder).is_dir()]))
        if folders
        else None
    )
    return spec if spec is None or spec.origin is not None or _holds_code(spec) else None


def find_submodule(spec: ModuleSpec, name: str) -> ModuleSpec | None:
    """The module of a dotted name below the one of its first part."""
    inner: ModuleSpec | None = spec
    for part in name.split(".")[1:]:
        if inner is None or inner.submodule_search_locations is None:
            return None
        inner = _listed(PathFinder.find_spec(part, inner.submodule_search_locations))
    return inner


def _listed(spec: ModuleSpec | None) -> ModuleSpec | None:
    """With its folders as a list.

    Those of a package without ``__init__.py`` are otherwise looked for anew, by a name that it may not keep.
    """
    if spec is not None and spec.submodule_search_locations is not None:
        spec.submodule_search_locations = list(spec.submodule_search_locations)
    return spec


def _holds_code(spec: ModuleSpec) -> bool:
    """Whether a folder without ``__init__.py`` holds any module: folders of data have names as well."""
    return any(
        next(Path(folder).glob(form), None) is not None
        for folder in spec.submodule_search_locations or ()
        for form in ("*.py", "*/*.py")
    )


def of_file(name: str, file: Path) -> ModuleSpec | None:
    """A module by its file."""
    return importlib.util.spec_from_file_location(name, file)


def find_on_sys_path(name: str) -> ModuleSpec | None:
    """A module or package without a dot as Python finds it.

    The working directory is left out, since only one way to start the program puts it first.
    """
    path = [entry for entry in sys.path if entry and Path(entry).absolute() != Path.cwd()]
    spec = PathFinder.find_spec(name, path)
    for finder in sys.meta_path if spec is None else ():
        if finder is not PathFinder and not getattr(finder, "of_repositories", False):
            spec = spec or finder.find_spec(name, None)
    return _listed(spec)


def is_importable(name: str, names: Sequence[str]) -> bool:
    """Whether Python, or our own package, has a module with all that is imported from it."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        return False
    return all(part == "*" or hasattr(module, part) or _submodule(name, part) for part in names)


def _submodule(name: str, part: str) -> bool:
    try:
        return importlib.util.find_spec(f"{name}.{part}") is not None
    except (ImportError, ValueError):
        return False


def is_own_package(spec: ModuleSpec) -> bool:
    """Whether it is our own package, which lies in its repository like any other."""
    return spec.origin is not None and Path(spec.origin).resolve().parent == _PACKAGE


def is_users(spec: ModuleSpec) -> bool:
    """Whether it is neither Python's nor in a folder that installers fill."""
    places = [
        Path(place).resolve() for place in ([spec.origin] if spec.origin else spec.submodule_search_locations or ())
    ]
    return all(
        place.exists() and not is_standard(place) and site_of(place) is None and not _inside(place) for place in places
    ) and bool(places)


def _inside(place: Path) -> bool:
    return place == _PACKAGE or _PACKAGE in place.parents


def version(file: Path) -> str | None:
    """``name version`` of the distribution that lists a file."""
    release = distribution(file)
    return None if release is None else " ".join(release)


def absolute(name: str, package: str, level: int) -> str:
    """A relative name as an absolute one, both plain."""
    parts = package.split(".") if package else []
    base = parts[: len(parts) - level + 1]
    return ".".join((*base, *([name] if name else [])))
