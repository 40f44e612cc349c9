"""Which public names may stand in several modules, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from tests.house.modules import Module

PROTOCOLS = {
    "load": "a kind of network loads its file",
    "open_source": "a kind of source opens its file; the family opens whichever kind a config names",
    "engine": "an engine runs one function over many blocks",
    "make": "a sample makes its scene",
    "fold": "each form of a network folds its batch norm",
    "facts": "a foreign config gives the facts of a first config",
    "offer": "a kind of pretrained weights offers its tensors",
    "recognises": "a kind of pretrained weights recognises its file",
    "create": "local folders and object storage each create a store",
    "delete": "local folders and object storage each delete a store",
    "write": "an export writes its file",
    "REVISION": "an architecture counts the versions of its arithmetic",
    "SPARE": "a kind of pretrained weights lists tensors that it does without",
    "CLASSES": "a sample lists the classes of its labels",
    "UNLABELLED": "a sample names the code of pixels without a label",
}
"""Protocols of families: a name stands in modules of one folder, or in modules of several such folders."""

API = "pipeline"
"""The package itself: its functions call those of the same name in the rooms."""

TABLES = {"KINDS": "the table of a family stands in its folder's ``__init__``, or in the file that holds all kinds"}
FILES = {"pipeline.inference.layers", "pipeline.inference.tapers"}
"""Families whose kinds are functions of one file."""

ANYWHERE = {
    "main": "``python -m`` and the script of the command both start at a function of this name",
    "T": "a type variable means nothing beyond the function that it stands in",
}

COMMANDS = "cli"
"""The room of the commands: ``cli/verify.py`` may define ``verify``, which calls the function of that name
elsewhere."""


def duplicates(homes: dict[str, list[Module]]) -> dict[str, list[Module]]:
    """The names that several modules define, without those that a family or a reason allows."""
    strays = {
        name: _strays(name, [module for module in modules if not _is_command(name, module)])
        for name, modules in homes.items()
    }
    return {name: homes[name] for name, modules in strays.items() if len(homes[name]) > 1 and modules}


def _strays(name: str, modules: Sequence[Module]) -> list[Module]:
    """The modules that stand in the way of a name: none, where one module has it to itself."""
    if name in ANYWHERE or len(modules) < 2:
        return []
    if name in TABLES:
        return [module for module in modules if not module.is_folder and module.name not in FILES]
    folders = [module.folder for module in modules]
    return [module for module in modules if name not in PROTOCOLS or folders.count(module.folder) == 1]


def _is_command(name: str, module: Module) -> bool:
    return module.name == API or (module.room == COMMANDS and module.path.stem == name)
