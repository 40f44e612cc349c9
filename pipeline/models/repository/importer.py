"""How modules of repositories are found and run: from their sources alone, which are remembered by their digests."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import xxhash

from pipeline.models.repository import module_search
from pipeline.models.repository.namespace import PREFIX, World, active, world_by_name
from pipeline.models.repository.opened_files import digests, record_opened_files, without_recording


class Loader(SourceFileLoader):
    """Runs a source in its world.

    What Python compiled of it before is not used: that is known by time and size alone.
    """

    def __init__(self, fullname: str, path: str, world: World) -> None:
        super().__init__(fullname, path)
        self._world = world

    @property
    def _plain_name(self) -> str:
        return self.name.removeprefix(f"{self._world.name}.")

    def get_code(self, fullname: str) -> CodeType:
        """Compiled from the source, whose digest is kept."""
        with without_recording():
            source = self.get_data(self.path)
        self._world.sources[self._plain_name] = Path(self.path), xxhash.xxh3_128(source).hexdigest()
        return self.source_to_code(source, self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run it, with the import statements of its world; what it opens meanwhile is kept."""
        world, paths = self._world, set[str]()
        module.__dict__["__builtins__"] = world.builtins
        world.alias(self._plain_name)
        with record_opened_files(paths):
            super().exec_module(module)
        world.reads[self._plain_name] = digests(paths)


class Alias:
    """Gives a module of a repository that is asked for by its plain name."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module under its full name, imported where it is not yet."""
        module = self._world.module(spec.name)
        self._saved = {
            name: getattr(module, name, None) for name in ("__spec__", "__loader__", "__package__", "__path__")
        }
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run already; Python has just told it that it is another."""
        for name, value in self._saved.items():
            if value is not None:
                setattr(module, name, value)
        self._world.note_alias(module)


class Finder:
    """Finds modules of repositories by their full names.

    A thread that builds a repository's network finds them by their plain names, too.
    """

    of_repositories = True

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As Python asks every finder."""
        if not fullname.startswith(PREFIX):
            world = active()
            if world is None or _is_elsewhere(fullname, world) or not world.owns(fullname):
                return None
            return ModuleSpec(fullname, Alias(world))  # type: ignore[arg-type]  # a loader by its methods
        world, plain_name = world_by_name(fullname), fullname.partition(".")[2]
        if world is None:
            return None
        if plain_name in world.pinned:
            spec = module_search.of_file(fullname, world.pinned[plain_name])
        else:
            spec = world.find(plain_name) if "." not in plain_name else PathFinder.find_spec(fullname, path)
        return None if spec is None else _renamed(spec, fullname, world)

    def invalidate_caches(self) -> None:
        """There are none."""


def _is_elsewhere(fullname: str, world: World) -> bool:
    """Whether a plain name begins with that of a module that is somebody else's in this process."""
    top = fullname.partition(".")[0]
    return top in sys.modules and top not in world.aliased_names


def _renamed(spec: ModuleSpec, fullname: str, world: World) -> ModuleSpec:
    """The same place, for the full name, run by us where it is a source."""
    folders = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    loader = spec.loader
    if isinstance(loader, SourceFileLoader) and spec.origin is not None:
        loader = Loader(fullname, spec.origin, world)
    elif loader is not None and spec.origin is not None:
        loader = type(loader)(fullname, spec.origin)  # type: ignore[call-arg]  # of extensions and of compiled modules
    renamed = ModuleSpec(fullname, loader, origin=spec.origin, is_package=folders is not None)
    renamed.submodule_search_locations, renamed.has_location = folders, spec.has_location
    return renamed


FINDER = Finder()


def install() -> None:
    """Let Python ask for modules of repositories, once."""
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)
