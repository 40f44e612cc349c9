"""A config of a MONAI bundle as plain values: references are followed within the document, and nothing is evaluated.

``@id`` and ``%id`` stand for another part, with ``::`` or ``#`` between the names of a nested one. ``$`` begins an
expression of Python (https://docs.monai.io/en/stable/config_syntax.html); of these only literals are read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import ModelError
from pipeline.models.descriptions.document import MAX_DOCUMENT_VALUES, MAX_SECTION_DEPTH

SEPARATOR = "::"
TARGET_KEY = "_target_"
"""Key of the class or function that a part is made by."""
_REFERENCE = re.compile(r"\$?@[\w:#]*")
_FILE_MACRO = re.compile(r"%.*\.(json|ya?ml)(\W.*)?", re.IGNORECASE)
_COMMON_KEY = re.compile(r"\$monai\.utils\.CommonKeys\.([A-Z]+)")
_NOTHING = object()
"""Stands where a document has no such part."""
_DTYPE = re.compile(r"\$(?:torch|np|numpy)\.((?:float|bfloat|u?int|bool)\d*_?)")


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A value that is known by executing code alone, or not at all."""

    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.text}, {self.reason}"


class BundleConfig:
    """A document such as ``configs/inference.json``."""

    def __init__(self, content: Mapping[str, Any], name: str) -> None:
        self.content = content
        self.name = name
        """For messages."""

    def value(self, identifier: str) -> Any:
        """A part of the document with its references followed; `Unresolved` where they lead nowhere.

        Raises
        ------
        ModelError
            The references repeat parts beyond all bounds.
        """
        return _Walk(self).part(_names(identifier))


class _Walk:
    """One value that is put together: it counts what it repeats."""

    def __init__(self, config: BundleConfig) -> None:
        self.config = config
        self.count = 0
        self.open_parts: list[tuple[str, ...]] = []

    def part(self, names: tuple[str, ...]) -> Any:
        if names in self.open_parts:
            return Unresolved(f"@{SEPARATOR.join(names)}", "which leads to itself")
        self.open_parts.append(names)
        try:
            value = self.at(names)
            return value if isinstance(value, Unresolved) else self.resolved(value, names)
        finally:
            self.open_parts.pop()

    def at(self, names: tuple[str, ...]) -> Any:
        """What stands at a place, with references on the way to it followed."""
        value: Any = self.config.content
        for depth, name in enumerate(names):
            value = _child(value, name)
            if value is _NOTHING:
                return Unresolved(f"@{SEPARATOR.join(names)}", "which is nowhere in the document")
            if isinstance(value, str) and depth < len(names) - 1:
                value = self.follow(value, names[: depth + 1])
                if isinstance(value, Unresolved):
                    return value
        return value

    def resolved(self, value: Any, names: tuple[str, ...]) -> Any:
        self.count += 1
        if self.count > MAX_DOCUMENT_VALUES or len(names) + len(self.open_parts) > 2 * MAX_SECTION_DEPTH:
            raise ModelError(
                f"{self.config.name} refers to parts of itself in a way that could fill the memory. Write the parts "
                f"out, without references (@) and macros (%)."
            )
        if isinstance(value, dict):
            return {key: self.resolved(entry, (*names, str(key))) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.resolved(entry, (*names, str(k))) for k, entry in enumerate(value)]
        return self.follow(value, names) if isinstance(value, str) else value

    def follow(self, text: str, names: tuple[str, ...]) -> Any:
        if _REFERENCE.fullmatch(text):
            return self.part(_absolute(text.lstrip("$")[1:], names))
        if text.startswith("%"):
            other = Unresolved(text, "which is a part of another file")
            return other if _FILE_MACRO.fullmatch(text) else self.part(_absolute(text[1:], names))
        return _expression(text) if text.startswith("$") else text


def components(value: Any) -> Iterator[Mapping[str, Any]]:
    """Parts of a value that are made by a class or function, the outermost first."""
    if isinstance(value, Mapping):
        if TARGET_KEY in value:
            yield value
        for entry in value.values():
            yield from components(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from components(entry)


def unresolved(value: Any) -> Iterator[Unresolved]:
    """All that is not known of a value."""
    if isinstance(value, Unresolved):
        yield value
    elif isinstance(value, Mapping | list):
        for entry in value.values() if isinstance(value, Mapping) else value:
            yield from unresolved(entry)


def _names(identifier: str) -> tuple[str, ...]:
    return tuple(identifier.replace("#", SEPARATOR).split(SEPARATOR))


def _absolute(identifier: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of a part; each separator at the beginning goes one level up from the part that refers to it."""
    parts = _names(identifier)
    levels = next((k for k, part in enumerate(parts) if part), len(parts))
    return (*names[: max(len(names) - levels, 0)], *parts[levels:]) if levels else parts


def _child(value: Any, name: str) -> Any:
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
        return value[int(name)]
    return _NOTHING


def _expression(text: str) -> Any:
    """A literal, a key or a type that MONAI names so, or what would have to be executed."""
    if key := _COMMON_KEY.fullmatch(text):
        return key[1].lower()
    if dtype := _DTYPE.fullmatch(text):
        return dtype[1].rstrip("_")
    try:
        literal = ast.literal_eval(text[1:].strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return Unresolved(text, "which is an expression of Python")
    return list(literal) if isinstance(literal, tuple) else literal
