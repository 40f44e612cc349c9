"""The YAML of a description, read by a safe loader within bounds."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from pipeline.errors import ModelError

MAX_BYTES = 2**18
"""Of the text; descriptions of published models have up to 40 KiB."""
MAX_SECTION_DEPTH = 40
"""Sections within sections."""
MAX_DOCUMENT_VALUES = 50_000
"""Of the document, with all that its references repeat."""


def parse_document(content: bytes, name: str) -> dict[str, Any]:
    """The sections of a description in YAML.

    Parameters
    ----------
    content
        Bytes of the file.
    name
        For messages.

    Raises
    ------
    ModelError
        It is too long, no YAML, no mapping, or written to grow when it is read.
    """
    _check_length(content, name)
    try:
        text = content.decode("utf-8")
        _check_size(text, name)
        document = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or type(error).__name__
        raise ModelError(f"{name} is not valid YAML{where}: {reason}. Fetch the package again, or mend it.") from error
    return _sections(document, name)


_SHORTEN = "Leave out what is no part of the model, such as long texts."


def _check_length(content: bytes, name: str) -> None:
    if len(content) > MAX_BYTES:
        raise ModelError(f"{name} has more than the {MAX_BYTES:,} bytes that a description may have. {_SHORTEN}")


def _sections(document: object, name: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ModelError(f"{name} holds no sections, so that it describes no model. Fetch the package again.")
    return document


def _check_size(text: str, name: str) -> None:
    """Refuse what grows when it is read: references to long parts, to parts with references, and deep nests."""
    sizes: dict[str, int] = {}
    open_parts: list[tuple[str | None, int]] = []
    for event in YAML(typ="safe", pure=True).parse(text):
        values = 1
        if isinstance(event, CollectionStartEvent):
            open_parts.append((event.anchor, 1))
            continue
        if isinstance(event, ScalarEvent) and event.anchor is not None:
            sizes[event.anchor] = 1
        elif isinstance(event, AliasEvent):
            values = sizes.get(event.anchor, MAX_DOCUMENT_VALUES + 1)  # of a part that refers to itself there is no end
        elif isinstance(event, CollectionEndEvent):
            anchor, values = open_parts.pop()
            sizes |= {anchor: values} if anchor is not None else {}
        if open_parts:
            open_parts[-1] = (open_parts[-1][0], open_parts[-1][1] + values)
        if values > MAX_DOCUMENT_VALUES:
            raise ModelError(f"{name} refers to parts of itself in a way that could fill the memory. {_WRITE_OUT}")
        if len(open_parts) > MAX_SECTION_DEPTH:
            raise ModelError(
                f"{name} nests more than {MAX_SECTION_DEPTH} sections, which no description does. {_WRITE_OUT}"
            )


_WRITE_OUT = "Write the description without anchors (&) and aliases (*), section by section."
