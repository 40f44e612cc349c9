"""Which network a bundle builds: one of MONAI's by plain arguments, or by code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.models.descriptions.monai.references import TARGET_KEY, BundleConfig, Unresolved, components, unresolved

NETWORK_PARTS = ("network_def", "network", "net")
"""Parts of a config that define the network, the first that is made by a class."""
NETWORKS_MODULE = "monai.networks.nets"
_NETWORK = re.compile(r"(?:monai\.networks\.nets\.(?:[a-z]\w*\.)?)?([A-Z]\w*)")
"""A class of MONAI's networks by its name alone, or by its module."""
_IGNORED = {TARGET_KEY, "_desc_"}
_FILE_ARGUMENT = re.compile("pretrained|path|url|file|repo")
"""In names of arguments that lead to files of others."""
_PRETRAINED = "pretrained"
"""Argument by which weights are downloaded first; those of the bundle take their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDefinition:
    """How a network is made."""

    part: str
    """Of the config."""
    target: str
    """The class or function, as the config names it."""
    arguments: dict[str, Any] = field(default_factory=dict)
    obstacle: str | None = None
    """Why code of strangers would have to be executed, in words; None where it is a network of MONAI's."""

    @property
    def factory(self) -> str:
        """MONAI's network, as ``model.factory`` names it."""
        return f"{NETWORKS_MODULE}:{self.target.rpartition('.')[2]}"

    def number(self, argument: str) -> int | None:
        """An argument that is a whole number; None where it is not given, or something else."""
        value = self.arguments.get(argument)
        return value if type(value) is int else None


def network_definition(config: BundleConfig) -> NetworkDefinition | None:
    """The network of a config; None where it defines none.

    Raises
    ------
    ModelError
        Its references cannot be followed.
    """
    for part in NETWORK_PARTS:
        value = config.value(part) if part in config.content else None
        if isinstance(value, Mapping) and TARGET_KEY in value:
            return _definition(part, value)
    return None


def _definition(part: str, value: Mapping[str, Any]) -> NetworkDefinition:
    target = str(value[TARGET_KEY])
    arguments = {name: entry for name, entry in value.items() if name not in _IGNORED}
    obstacle = _obstacle(part, target, arguments)
    if arguments.get(_PRETRAINED) is True:
        arguments[_PRETRAINED] = False
    return NetworkDefinition(part=part, target=target, arguments=arguments, obstacle=obstacle)


def _obstacle(part: str, target: str, arguments: dict[str, Any]) -> str | None:
    if not _NETWORK.fullmatch(target):
        return f"the {TARGET_KEY} of {part} is {target}, which is no network of {NETWORKS_MODULE}"
    for name, value in arguments.items():
        if name.startswith("_"):
            return f"{part} has {name}, which changes how it is made"
        if isinstance(unknown := next(unresolved(value), None), Unresolved):
            return f"{part}.{name} is {unknown}"
        if inner := next(components(value), None):
            return f"{part}.{name} is made by {inner[TARGET_KEY]}"
        if _FILE_ARGUMENT.search(name) and isinstance(value, str):
            return f"{part}.{name} is {value}, which would be fetched or opened"
    return None
