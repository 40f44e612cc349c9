"""Which values of a config name images of people, and the config as it is told to others under `output.redact`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from pipeline.config.areas import TISSUE
from pipeline.errors import ConfigError
from pipeline.privacy.concealed import conceal
from pipeline.privacy.stand_in import STAND_IN_PREFIX, stand_in, stand_ins_in

PRIVATE_KEYS = (("path",), ("aoi",), ("only",), ("grid", "like"))
"""Keys of a section that is a source: paths of images, and of polygons and masks of them."""
PRIVATE_OF_AREAS = ("path", "where", "layer")
"""Of a section of polygons: a condition names people, too."""


def is_redacting(meta: Mapping[str, Any]) -> bool:
    """Whether the config of a store keeps names out of it; stores of before say nothing, and do not."""
    return bool(meta.get("config", {}).get("output", {}).get("redact", False))


def without_private_names(document: dict[str, Any]) -> dict[str, Any]:
    """A dumped config with stand-ins for private values; scenes of a training are left out, since `run` reads none."""
    _replace(document, stand_in)
    return {name: section for name, section in document.items() if name != "training"}


def conceal_private_names(config: BaseModel) -> None:
    """Keep the private names of a config out of every text of this process, but not the store that the user names.

    Parameters
    ----------
    config
        A whole config, of which `output.redact` is set.
    """
    document, names = config.model_dump(mode="json"), list[str]()
    _replace(document, lambda name: names.append(name) or name)  # type: ignore[func-returns-value]
    for scene in _scenes(document.get("training") or {}):
        _in_path([scene["path"], scene["labels"]["path"]], lambda name: names.append(name) or name)  # type: ignore[func-returns-value]
    conceal(names, [document["output"]["path"]])


def require_no_stand_ins(document: Mapping[str, Any], place: object) -> None:
    """Raise ConfigError where a config lacks what a store, or a frozen plan, keeps to itself.

    Parameters
    ----------
    document
        Plain values.
    place
        Where they were read from.
    """
    keys = list(dict.fromkeys(key for key in stand_ins_in(document) if key.startswith(("source", INPUTS))))
    if keys:
        ways = dict.fromkeys(_way(key) for key in keys)
        raise ConfigError(
            f"{place} keeps a stand-in ({STAND_IN_PREFIX}…) for {' and '.join(keys)}, since it was made with "
            f"output.redact, so that the file has to be named. Give {' and '.join(ways)}."
        )


INPUTS = "model.inputs."
"""How keys of the sources of a network of several inputs begin."""


def _way(key: str) -> str:
    """The option that names what a key stands for."""
    if key.startswith(INPUTS):
        return f"--set {key}=FILE"
    if key == "source.path":
        return "--source FILE"
    if key.startswith("source.path"):
        return "--set source.path=… as the config has it"
    section = key if key.startswith("source.grid") else ".".join(key.split(".")[:2])
    return f"--set {section}=FILE"


def _replace(document: dict[str, Any], function: Callable[[str], str]) -> None:
    """Replace every private text of a dumped config, in place."""
    for source in _sources(document):
        for *sections, name in PRIVATE_KEYS:
            section = _section(source, sections)
            if section is not None and section.get(name) is not None:
                section[name] = (_in_path if name == "path" else _in_area)(section[name], function)


def _sources(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The section ``source``, and that of each input of the network."""
    inputs = _section(document, ["model", "inputs"]) or {}
    return [section for section in (document.get("source"), *inputs.values()) if isinstance(section, dict)]


def _in_path(value: Any, function: Callable[[str], str]) -> Any:
    """A path, several, one of each name, or sources of a stack, of each of which the path."""
    if isinstance(value, list):
        return [
            {**part, "path": _in_path(part["path"], function)}
            if isinstance(part, dict) and "path" in part
            else _in_path(part, function)
            for part in value
        ]
    if isinstance(value, dict):
        return {name: _in_path(part, function) for name, part in value.items()}
    return function(value) if isinstance(value, str) else value


def _in_area(value: Any, function: Callable[[str], str]) -> Any:
    """A file of polygons or of a mask, or the word tissue."""
    if isinstance(value, dict):
        return {name: _in_path(part, function) if name in PRIVATE_OF_AREAS else part for name, part in value.items()}
    return value if value == TISSUE else _in_path(value, function)


def _section(document: Any, names: list[str]) -> dict[str, Any] | None:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else None


def _scenes(training: dict[str, Any]) -> list[dict[str, Any]]:
    validation = training.get("validation") or {}
    return [*(training.get("scenes") or []), *(validation.get("scenes") or [])]
