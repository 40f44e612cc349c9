"""The YAML of a description, read by a safe loader within bounds."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from pipeline.errors import ModelError

MAX_BYTES = 2**18
"""Of the text; descriptions of published models have up to 40 KiB."""
MAX_DEPTH = 40
"""Sections within sections."""
MAX_ALIASES = 100
"""References to what stands elsewhere in the document; none may lie within what is referred to."""


def parse_document(content: bytes, name: str) -> dict[str, Any]:
    """The sections of a description.

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
    if len(content) > MAX_BYTES:
        raise ModelError(f"{name} has {len(content):,} bytes, and a description may have {MAX_BYTES:,}. {_SHORTEN}")
    try:
        text = content.decode("utf-8")
        _check_references(text, name)
        document = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or type(error).__name__
        raise ModelError(f"{name} is not valid YAML{where}: {reason}. Fetch the package again, or mend it.") from error
    if not isinstance(document, dict):
        raise ModelError(f"{name} holds no sections, so that it describes no model. Fetch the package again.")
    return document


_SHORTEN = "Leave out what is no part of the model, such as long texts."


def _check_references(text: str, name: str) -> None:
    """Refuse what a few lines could blow up: references within what is referred to, many of them, deep nests."""
    anchored: list[bool] = []
    aliases = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, CollectionStartEvent):
            anchored.append(event.anchor is not None)
        elif isinstance(event, CollectionEndEvent):
            anchored.pop()
        elif isinstance(event, AliasEvent):
            aliases += 1
            if any(anchored) or aliases > MAX_ALIASES:
                raise ModelError(f"{name} refers to parts of itself in a way that could fill the memory. {_WRITE_OUT}")
        if len(anchored) > MAX_DEPTH:
            raise ModelError(f"{name} nests more than {MAX_DEPTH} sections, which no description does. {_WRITE_OUT}")


_WRITE_OUT = "Write the description without anchors (&) and aliases (*), section by section."
