"""Which values of a config name images of people, and the config as it is told to others under `output.redact`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from pipeline.errors import ConfigError
from pipeline.privacy.concealed import conceal
from pipeline.privacy.stand_in import PREFIX, stand_ins_in, with_stand_ins

PRIVATE_SECTIONS = (("source", "path"), ("source", "aoi"), ("source", "only"), ("source", "grid", "like"))
"""Every text below these is private: paths, but also a condition on the attributes of polygons."""
COMMON_WORDS = {"layer"}
"""Keys below them whose values get a stand-in, but are words that messages may hold."""


def is_redacting(meta: Mapping[str, Any]) -> bool:
    """Whether the config of a store keeps names out of it; stores of before say nothing, and do not."""
    return bool(meta["config"]["output"].get("redact", False))


def without_private_names(document: dict[str, Any]) -> dict[str, Any]:
    """A dumped config with stand-ins for private values; scenes of a training are left out, since `run` reads none."""
    for *sections, name in PRIVATE_SECTIONS:
        section = _section(document, sections)
        if section is not None and section.get(name) is not None:
            section[name] = with_stand_ins(section[name])
    return {name: section for name, section in document.items() if name != "training"}


def conceal_private_names(config: BaseModel) -> None:
    """Keep the private names of a config out of every text of this process, but not the store that the user names.

    Parameters
    ----------
    config
        A whole config, of which `output.redact` is set.
    """
    document = config.model_dump(mode="json")
    sections = [(_section(document, parents) or {}).get(name) for *parents, name in PRIVATE_SECTIONS]
    scenes = [place for scene in _scenes(document.get("training") or {}) for place in _places(scene)]
    conceal(_texts([*sections, *scenes]), [document["output"]["path"]])


def require_no_stand_ins(document: Mapping[str, Any], place: object) -> None:
    """Raise ConfigError where a config lacks what a store, or a frozen plan, keeps to itself.

    Parameters
    ----------
    document
        Plain values.
    place
        Where they were read from.
    """
    keys = list(dict.fromkeys(key for key in stand_ins_in(document) if key.startswith("source")))
    if keys:
        ways = dict.fromkeys(_way(key) for key in keys)
        raise ConfigError(
            f"{place} keeps a stand-in ({PREFIX}…) for {' and '.join(keys)}, since it was made with output.redact, so "
            f"that the file has to be named. Give {' and '.join(ways)}."
        )


def _way(key: str) -> str:
    """The option that names what a key stands for."""
    if key == "source.path":
        return "--source FILE"
    section = "source.aoi" if key.startswith("source.aoi") else key
    return f"--set {section}=FILE"


def _section(document: Any, names: list[str]) -> dict[str, Any] | None:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else None


def _scenes(training: dict[str, Any]) -> list[dict[str, Any]]:
    validation = training.get("validation") or {}
    return [*(training.get("scenes") or []), *(validation.get("scenes") or [])]


def _places(scene: dict[str, Any]) -> tuple[str, str]:
    return scene["path"], scene["labels"]["path"]


def _texts(value: Any) -> Iterator[str]:
    """Every text in plain values that is no common word."""
    if isinstance(value, dict):
        value = [part for name, part in value.items() if name not in COMMON_WORDS]
    if isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value
