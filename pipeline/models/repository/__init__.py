"""A user's repository: where a factory's imports come from, and what the factory reads.

It tells what of the repository makes the network what it is.
"""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import ModuleType

from pipeline.errors import ModelError
from pipeline.models.repository.code import Code, code_of, reads_of
from pipeline.models.repository.importer import install
from pipeline.models.repository.namespace import World, world_of
from pipeline.models.repository.search_folders import locate_factory
from pipeline.models.weights.file_type import first_line
from pipeline.runtime.import_faults import fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A factory's module and the modules around it."""

    place: str
    """As ``model.factory`` names it."""
    module: str
    """Its plain dotted name."""
    key: str
    """Of the config, which names it."""
    world: World | None
    """None where Python itself finds it: it is installed, or ours."""

    def entered(self) -> AbstractContextManager[None]:
        """While its code runs to make a network."""
        return nullcontext() if self.world is None else self.world.entered()

    def imported(self) -> ModuleType:
        """The factory's module; raises ModelError where it cannot be imported."""
        try:
            return importlib.import_module(self.module) if self.world is None else self.world.module(self.module)
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            raise ModelError(
                f"{self.key} names {self.place}, which cannot be imported: {fault(error) or first_line(error) + '.'}"
            ) from error

    def code(self) -> Code:
        """What its sources and libraries are."""
        return code_of(self.world, self.module)

    def reads(self, code: Code) -> dict[str, str]:
        """What was read while its modules were imported: digests by path."""
        return reads_of(self.world, code)


def repository_of(place: str, key: str = "model.factory") -> Repository:
    """What lies around ``file.py`` or ``package.module`` that a key of the config names.

    Raises ModelError where a file is not there.
    """
    install()
    parts = locate_factory(place, key)
    world = world_of(parts)
    isolated = parts.file is not None or world.owns(parts.module)
    return Repository(place=place, key=key, module=parts.module, world=world if isolated else None)
