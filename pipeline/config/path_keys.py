"""Keys of a config that hold a path, and how it becomes absolute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.config import factory, paths
from pipeline.config.areas import TISSUE
from pipeline.config.families import ENGINE_FACTS
from pipeline.config.search import SearchConfig

PATHS_OF_SOURCE = (
    ("path",),
    ("path", "*"),
    ("sign",),
    ("path", "*", "path"),
    ("path", "*", "path", "*"),
    ("aoi",),
    ("aoi", "path"),
    ("only",),
    ("only", "path"),
    ("grid", "like"),
)
"""Keys of a section that is a source."""
SOURCE_SECTIONS = (("source",), ("model", "inputs", "{}"))
"""Sections that are sources."""
PATH_KEYS = (
    *((*section, *key) for section in SOURCE_SECTIONS for key in PATHS_OF_SOURCE),
    ("model", "path"),
    ("model", "path", "*"),
    *(("model", "path", "*", *key) for key in (("path",), ("factory",), ("input", "transform"))),
    ("output", "path"),
    ("output", "exports", "*", "out"),
    ("model", "factory"),
    ("training", "start"),
    ("model", "input", "transform"),
    *(
        ("training", *scenes, "*", "path", *inner)
        for scenes in (("scenes",), ("validation", "scenes"))
        for inner in ((), ("*",), ("*", "*"))
    ),
    ("training", "scenes", "*", "labels", "path"),
    *(
        ("execution", engine, *key)
        for engine in ENGINE_FACTS
        for key in (("tls", "ca"), ("tls", "cert"), ("tls", "key"), ("logs",))
    ),
    ("training", "validation", "scenes", "*", "labels", "path"),
)
"""Keys that hold a path; {} is each value of a mapping, and * each of a list, at the end of a mapping too."""
NAMED_FILES = tuple((*section, "path", "*") for section in SOURCE_SECTIONS)
"""Files by band, or the parts of a search, which are no paths."""


def anchored(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The document, changed in place, with paths that are relative to a folder made absolute."""
    for path in PATH_KEYS:
        for part in _parts(document, path[:-1]):
            for key, value in _entries(part, path[-1]):
                if isinstance(value, str) and not (path in NAMED_FILES and key in SearchConfig.model_fields):
                    part[key] = _anchor(path[-1], value, folder)
    return document


def _entries(part: Any, name: str) -> list[tuple[Any, Any]]:
    """The keys of a section or places of a list that a name or * stands for, with their values."""
    if name == "*":
        return [*(part.items() if isinstance(part, dict) else enumerate(part))]
    return [(name, part.get(name))] if isinstance(part, dict) else []


def _parts(document: Any, names: tuple[str, ...]) -> Iterator[Any]:
    """The sections and lists that a path of keys leads to, as far as they are there."""
    if not names:
        sections = [document] if isinstance(document, dict | list) else []
    elif names[0] == "*":
        sections = [
            inner for entry in (document if isinstance(document, list) else []) for inner in _parts(entry, names[1:])
        ]
    elif names[0] == "{}":
        sections = [
            inner
            for entry in (document.values() if isinstance(document, dict) else [])
            for inner in _parts(entry, names[1:])
        ]
    else:
        sections = list(_parts(document.get(names[0]), names[1:])) if isinstance(document, dict) else []
    yield from sections


def _anchor(key: str, value: str, folder: Path) -> str:
    if key == "only" and value == TISSUE:
        return value
    return (
        factory.anchored_factory(value, folder)
        if key in ("factory", "transform", "sign")
        else paths.anchored_path(value, folder)
    )
