"""The figures of a checkout, as rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

from tests.house import families, graph, imports, names, state, words
from tests.house.modules import DOOR, Module

Figure = Callable[[Sequence[Module]], str]


def pro_word_share(modules: Sequence[Module]) -> float:
    """Share of bound variables that are pro-words, from 0 to 1."""
    return sum(pro_words(modules).values()) / names.bound_variables(modules).total()


def pro_words(modules: Sequence[Module]) -> Counter[str]:
    """How often each pro-word is bound."""
    return Counter({name: count for name, count in names.bound_variables(modules).items() if words.is_pro_word(name)})


def pro_word_definitions(modules: Sequence[Module]) -> list[str]:
    """Public classes, functions and constants that are pro-words, as ``MODULE.NAME``."""
    public = ((module, names.public_definitions(module) | names.public_constants(module)) for module in modules)
    return sorted(f"{module.name}.{name}" for module, defined in public for name in defined if words.is_pro_word(name))


def pro_word_methods(modules: Sequence[Module]) -> list[str]:
    """Public methods that are pro-words, as ``MODULE.NAME``."""
    methods = ((module, name) for module in modules for name in names.public_methods(module) - words.METHODS.keys())
    return sorted(f"{module.name}.{name}" for module, name in methods if words.is_pro_word(name))


def pro_word_files(modules: Sequence[Module]) -> list[str]:
    """Files and folders that are pro-words."""
    return [module.name for module in modules if words.is_pro_word(module.name.rpartition(".")[2])]


def _pro_words(modules: Sequence[Module]) -> str:
    frequent = ", ".join(f"{name} {count}" for name, count in pro_words(modules).most_common(6))
    total = names.bound_variables(modules).total()
    return f"{pro_words(modules).total():,} of {total:,} ({pro_word_share(modules):.1%}): {frequent}"


def _rooms(modules: Sequence[Module]) -> str:
    rooms = {module.room for module in modules} - {DOOR}
    loose = {module.room for module in modules if module.name.count(".") == 1 and not module.is_folder}
    return f"{len(rooms - loose)} folders, {len(rooms & loose)} loose modules"


def _circles(nodes: graph.Graph) -> str:
    return "; ".join(" ".join(circle) for circle in graph.circles(nodes)) or "none"


def _shared(modules: Sequence[Module], constants: bool) -> str:
    homes = names.homes(modules, constants)
    shared = sum(len(owners) > 1 for owners in homes.values())
    return f"{shared} of {len(homes)}, of which no family's: {len(families.duplicates(homes))}"


def _state(modules: Sequence[Module]) -> str:
    changing = [
        f"{module.name.removeprefix('pipeline.')}.{name}"
        for module in modules
        for name in state.mutable_globals(module)
    ]
    return f"{len(changing)}: {', '.join(changing)}"


FIGURES: dict[str, Figure] = {
    "files": lambda modules: f"{len(modules):,}",
    "lines": lambda modules: f"{sum(module.lines for module in modules):,}",
    "lines of the median file": lambda modules: f"{median(module.lines for module in modules):g}",
    "rooms": _rooms,
    "arrows between rooms": lambda modules: str(sum(map(len, imports.room_graph(modules).values()))),
    "floors (longest chain of rooms)": lambda modules: str(graph.longest_chain(imports.room_graph(modules))),
    "circles of files": lambda modules: _circles(imports.file_graph(modules)),
    "circles of rooms": lambda modules: _circles(imports.room_graph(modules)),
    "classes and functions in several modules": lambda modules: _shared(modules, constants=False),
    "constants in several modules": lambda modules: _shared(modules, constants=True),
    "process-wide mutable globals": _state,
    "functions with a cache": lambda modules: str(sum(len(state.cached_functions(module)) for module in modules)),
    "pro-words among bound variables": _pro_words,
    "pro-words among public names": lambda modules: str(len(pro_word_definitions(modules))),
    "pro-words among public methods": lambda modules: str(len(pro_word_methods(modules))),
    "pro-words among files and folders": lambda modules: str(len(pro_word_files(modules))),
}
