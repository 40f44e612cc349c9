"""Keys of a config that hold a path, and how it becomes absolute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.config import factory, paths
from pipeline.config.areas import TISSUE
from pipeline.config.families import ENGINE_FACTS
from pipeline.config.search import SearchConfig

PATH_KEYS = (
    ("source", "path"),
    ("source", "path", "*"),
    ("source", "sign"),
    ("source", "path", "*", "path"),
    ("source", "path", "*", "path", "*"),
    ("source", "aoi"),
    ("source", "aoi", "path"),
    ("source", "only"),
    ("source", "only", "path"),
    ("source", "grid", "like"),
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
"""Keys that hold a path; * is each of a list, and at the end each value of a mapping or a list."""
NAMED_FILES = ("source", "path", "*")
"""Files by band, or the parts of a search, which are no paths."""


def anchored(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The document, changed in place, with paths that are relative to a folder made absolute."""
    for path in PATH_KEYS:
        for part in _parts(document, path[:-1]):
            for key, value in _entries(part, path[-1]):
                if isinstance(value, str) and not (path == NAMED_FILES and key in SearchConfig.model_fields):
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
