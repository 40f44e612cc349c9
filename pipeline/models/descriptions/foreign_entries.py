"""Entries of other programs' documents, as far as they are what they should be."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping
from typing import Any

EIGHT_BITS = 1 / 255
"""Scale of those who feed 8-bit images as numbers from 0 to 1."""
MAX_ENTRY_CHARACTERS = 2**16
"""Of a text that is read as a value; names of hundreds of classes have a tenth of that."""


def parse_entry(text: str) -> Any:
    """JSON, or a Python literal as some exporters write; the text itself where it is neither, or long."""
    for read_text in (json.loads, ast.literal_eval) if len(text) <= MAX_ENTRY_CHARACTERS else ():
        try:
            return read_text(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text


def mean_and_std(entries: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Mean and std among another program's entries, where they are numbers."""
    values = {key: entries.get(f"{prefix}{key}") for key in ("mean", "std")}
    return {key: value for key, value in values.items() if _numbers(value)}


def training_size(*candidates: Any) -> dict[str, int]:
    """The first candidate that is a training size, px."""
    side = next((int(value) for value in candidates if isinstance(value, int | float) and value >= 1), None)
    return {} if side is None else {"size": side}


def class_list(names: Any) -> list[dict[str, Any]]:
    """Classes from a list of names, or from names by index."""
    if isinstance(names, dict) and all(str(key).isdecimal() for key in names):
        names = [names[key] for key in sorted(names, key=int)]
    return [{"name": str(name)} for name in names] if isinstance(names, list) else []


def _numbers(value: Any) -> bool:
    values = value if isinstance(value, list) and value else [value]
    return all(isinstance(number, int | float) and math.isfinite(number) for number in values)
