"""The modules of one repository, apart from those of others.

Each has its own ``utils``, whoever imports it and whenever.

They are modules like others, under a package of a name of its own: ``wholecloth_user_x_1.models.net``. Their import
statements go through `World.importing`, which finds names of the repository there and all others as Python does. While
a network is made they also go by their plain names, for what is unpickled or imported by libraries on their behalf.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.models.repository import module_search
from pipeline.models.repository.installed import SITES, standard
from pipeline.models.repository.opened_files import file_digest, without_recording
from pipeline.models.repository.search_folders import FactoryLocation

PREFIX = "wholecloth_user_"
OWN_PACKAGE = "pipeline"
_lock = threading.RLock()
"""Whoever makes a network, or imports for one, goes alone: plain names are everybody's."""
_worlds: dict[tuple[tuple[str, ...], tuple[str, ...]], World] = {}
_worlds_by_name: dict[str, World] = {}
_entered = threading.local()


class World:
    """The modules of one repository."""

    def __init__(self, place: FactoryLocation, number: int) -> None:
        mark = hashlib.sha256("\n".join((*place.first, "", *place.last)).encode()).hexdigest()[:12]
        self.name = f"{PREFIX}{mark}_{number}"
        self.first, self.last = list(place.first), list(place.last)
        self.pinned: dict[str, Path] = {}
        """Files whose names are no names of modules."""
        self.sources: dict[str, tuple[Path, str]] = {}
        """File of each module that was imported, and its digest then; by plain names."""
        self.edges: dict[str, set[str]] = defaultdict(set)
        """What each module was seen to import, by plain names."""
        self.reads: dict[str, dict[str, str]] = {}
        """Files that each module opened while it was imported, and their digests then."""
        self.builtins = {**vars(builtins), "__import__": self.importing}
        self._aliased: set[str] = set()
        root = ModuleType(self.name)
        root.__path__ = []
        sys.modules[self.name], _worlds_by_name[self.name] = root, self

    def module(self, plain_name: str) -> ModuleType:
        """A module of the repository, imported where it is not yet."""
        full = f"{self.name}.{plain_name}"
        if full not in sys.modules:
            with self.entered():
                importlib.import_module(full)
        return sys.modules[full]

    def importing(
        self,
        name: str,
        globals: dict[str, Any] | None = None,  # noqa: A002
        locals: Any = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """What import statements of the repository's modules do."""
        variables, names = globals or {}, fromlist or ()
        if level == 0 and (name.startswith(PREFIX) or not self.owns(name, names)):
            with without_recording():
                imported = builtins.__import__(name, globals, locals, names, 0)
            return self._importlib(imported) if imported is importlib else imported
        base = str(variables.get("__package__") or "").removeprefix(self.name).lstrip(".")
        plain_name = module_search.absolute(name, base, level) if level else name
        self._note(str(variables.get("__name__", "")), plain_name, names)
        module = self.module(plain_name) if plain_name else sys.modules[self.name]
        if not names:
            return sys.modules[f"{self.name}.{plain_name.partition('.')[0]}"] if plain_name else module
        if not all(hasattr(module, part) for part in names):
            with self.entered():
                builtins.__import__(module.__name__, globals, locals, names, 0)
        return module

    def owns(self, name: str, names: Sequence[str] = ()) -> bool:
        """Whether a name is that of a module of the repository, for whoever imports ``names`` from it."""
        top = name.partition(".")[0]
        spec = module_search.find_in_folders(top, self.first)
        if spec is not None and module_search.is_own_package(spec):
            return False
        # theirs only where Python's, or ours, is not what they mean
        if spec is not None and (standard(top) or top == OWN_PACKAGE):
            return module_search.find_submodule(spec, name) is not None and not module_search.is_importable(name, names)
        if spec is not None:
            return True
        return not standard(top) and top != OWN_PACKAGE and self.find(top) is not None

    def find(self, top: str) -> ModuleSpec | None:
        """Where a module or package without a dot lies, if it is the repository's or its user's.

        None where Python is to find it.
        """
        if top in self.pinned:
            return module_search.of_file(top, self.pinned[top])
        spec = module_search.find_in_folders(top, self.first)
        if spec is not None:
            return spec
        if top in sys.modules and top not in self._aliased:
            return None
        spec = module_search.find_on_sys_path(top)
        if spec is not None:
            return spec if module_search.is_users(spec) else None
        return module_search.find_in_folders(top, self.last)

    def _note(self, importer: str, plain_name: str, names: Sequence[str]) -> None:
        """Keep what a module, by its full name, was seen to import."""
        self.edges[importer.removeprefix(f"{self.name}.")] |= {
            plain_name,
            *(f"{plain_name}.{name}".lstrip(".") for name in names if name != "*"),
        }

    def _importlib(self, real: ModuleType) -> ModuleType:
        """Python's ``importlib``, whose ``import_module`` finds the repository's modules, too."""
        proxy = ModuleType("importlib")
        proxy.__dict__.update(vars(real))
        proxy.__dict__["import_module"] = self._import_module
        return proxy

    def _import_module(self, name: str, package: str | None = None) -> ModuleType:
        if name.startswith("."):
            name = importlib.util.resolve_name(name, package)
        plain_name = name.removeprefix(f"{self.name}.")
        if plain_name == name and not self.owns(name):
            with without_recording():
                return importlib.import_module(name)
        self._note(str(sys._getframe(1).f_globals.get("__name__", "")), plain_name, ())
        return self.module(plain_name)

    @property
    def aliased_names(self) -> set[str]:
        """Plain names that are its modules' at this moment."""
        return self._aliased

    def note_alias(self, module: ModuleType) -> None:
        """Take note of a plain name that Python itself gave to a module."""
        self._aliased.add(module.__name__.removeprefix(f"{self.name}."))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let the repository's modules go by their plain names as well, but for those that are somebody else's."""
        with _lock:
            outer = getattr(_entered, "world", None)
            if outer is self:
                yield
                return
            _entered.world, path = self, list(sys.path)
            hidden = {name: sys.modules.pop(name) for name in outer._aliased if name in sys.modules} if outer else {}
            for plain_name in self.sources:
                self.alias(plain_name)
            try:
                yield
            finally:
                self._leave(path)
                _entered.world = outer
                sys.modules.update(hidden)

    def alias(self, plain_name: str) -> None:
        """Let a module go by its plain name until the repository is left."""
        module = sys.modules.get(f"{self.name}.{plain_name}")
        if (
            module is not None
            and plain_name not in sys.modules
            and not standard(plain_name.partition(".")[0])
            and plain_name.partition(".")[0] != OWN_PACKAGE
        ):
            sys.modules[plain_name] = module
            self._aliased.add(plain_name)

    def _leave(self, path: list[str]) -> None:
        """Take plain names back, and keep folders that its code added to the path for itself."""
        for plain_name in [name for name in sys.modules if name in self._aliased]:
            del sys.modules[plain_name]
        self._aliased.clear()
        added = [
            entry for entry in sys.path if entry not in path and not any(part in SITES for part in Path(entry).parts)
        ]
        early = set(sys.path[: next((k for k, entry in enumerate(sys.path) if entry in path), 0)])
        for entry in added:
            folders, folder = self.first if entry in early else self.last, os.path.normpath(Path(entry).absolute())
            folders += [folder] if folder not in folders else []
        sys.path[:] = [entry for entry in sys.path if entry not in added]

    def is_fresh(self) -> bool:
        """Whether every file that was read while its modules were imported is as it was then."""
        files = [
            *self.sources.values(),
            *((Path(path), old_digest) for read in self.reads.values() for path, old_digest in read.items()),
        ]
        return all(file.is_file() and file_digest(file) == old_digest for file, old_digest in files)


def world_of(place: FactoryLocation) -> World:
    """The modules that lie around a place.

    Those that are there, unless a file of theirs was changed since they were imported.
    """
    key = (place.first, place.last)
    with _lock:
        world = _worlds.get(key)
        if world is None or not world.is_fresh():
            importlib.invalidate_caches()
            world = _worlds[key] = World(place, len(_worlds_by_name))
        if (
            place.file is not None
            and place.file.stem != place.module.rpartition(".")[2]
            and place.file.stem != "__init__"
        ):
            world.pinned[place.module] = place.file
        return world


def world_by_name(full: str) -> World | None:
    """The world that a module's full name begins with."""
    return _worlds_by_name.get(full.partition(".")[0])


def active() -> World | None:
    """The world that this thread is in."""
    return getattr(_entered, "world", None)
