"""A part of a bundle's config as the factory of a network, made by MONAI's own parser. This executes code.

``model.factory: FOLDER/configs/inference.json:network_def`` names one, as a description does that is trusted. Modules
of the bundle are found from its folder, and count as those of a user's repository do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.errors import ModelError
from pipeline.models.descriptions.document import MAX_BYTES
from pipeline.models.descriptions.monai.read import read_config
from pipeline.models.descriptions.monai.weights import MONAI_EXTRA
from pipeline.models.repository import Repository
from pipeline.models.repository.code import Code, code_of
from pipeline.models.repository.importer import install
from pipeline.models.repository.namespace import world_of
from pipeline.models.repository.search_folders import FactoryLocation
from pipeline.runtime.optional_imports import require

CONFIGS_FOLDER = "configs"
PARSER_MODULE = "monai.bundle"
ROOT_PART = "bundle_root"
"""Part of a config that names the folder of its bundle."""


class ConfigRepository(Repository):
    """A config of a bundle in the place of a module, and the modules around it."""

    def imported(self) -> ModuleType:
        """A module whose functions build the parts of the config; raises ExtraError where MONAI is not installed."""
        parser = require(PARSER_MODULE, MONAI_EXTRA, f"{self.key} {self.place}").ConfigParser
        file = Path(self.place)
        content = read_config(file.read_bytes()[: MAX_BYTES + 1], file.name, self.place).content
        module = ModuleType(self.module)
        module.__file__ = str(file)
        for part in content:
            setattr(module, str(part), partial(_build, parser, content, str(part), str(_root(file))))
        return module

    def code(self) -> Code:
        """What the modules of the bundle are that were imported so far, and which MONAI builds the network."""
        own = self.world.sources if self.world is not None else {}
        parts = [code_of(self.world, name) for name in [*own]]
        return {name: digest for part in (code_of(None, PARSER_MODULE), *parts) for name, digest in part.items()}


def config_repository(place: str, key: str) -> ConfigRepository:
    """What lies around a config; raises ModelError where the file is not there."""
    file = Path(place).absolute()
    if not file.is_file():
        raise ModelError(f"{key} names {place}, which does not exist. Give the config of a MONAI bundle.")
    install()
    module = f"wholecloth_bundle_{file.stem}"
    location = FactoryLocation(module=module, file=None, first=(str(_root(file)),), last=())
    return ConfigRepository(place=str(file), key=key, module=module, world=world_of(location))


def _root(file: Path) -> Path:
    """The bundle's folder."""
    return file.parent.parent if file.parent.name == CONFIGS_FOLDER else file.parent


def _build(parser: Callable[..., Any], content: Mapping[str, Any], part: str, root: str, **arguments: Any) -> Any:
    document = deepcopy(dict(content))
    document[ROOT_PART] = root
    if arguments and isinstance(document[part], dict):
        document[part] |= arguments
    return parser(document).get_parsed_content(part)
