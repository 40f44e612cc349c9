"""The JSON of a description, read within bounds."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from pipeline.errors import ModelError
from pipeline.models.descriptions.document import MAX_BYTES, MAX_SECTION_DEPTH

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKETS = re.compile(r"[\[\]{}]")


def parse_json_document(content: bytes, name: str) -> dict[str, Any]:
    """The entries of a description.

    Parameters
    ----------
    content
        Bytes of the file.
    name
        For messages.

    Raises
    ------
    ModelError
        It is too long, no JSON, no mapping, nested deeply, or holds a number that is none.
    """
    if len(content) > MAX_BYTES:
        raise ModelError(
            f"{name} has {len(content):,} bytes, and a description may have {MAX_BYTES:,}. Leave out what is no part "
            f"of the model."
        )
    try:
        text = content.decode("utf-8-sig")
        if _depth(text) > MAX_SECTION_DEPTH:
            raise ModelError(
                f"{name} nests more than {MAX_SECTION_DEPTH} sections, which no description does. Write it with fewer."
            )
        document = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise ModelError(f"{name} is not valid JSON: {error}. Fetch the model again, or mend it.") from error
    if not isinstance(document, dict):
        raise ModelError(f"{name} holds no entries, so that it describes no model. Fetch the model again.")
    return document


def _depth(text: str) -> int:
    """The largest number of brackets that are open at a time."""
    depth = deepest = 0
    for bracket in _BRACKETS.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
