"""A config in YAML, with what is a guess marked as one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_UNQUOTED = re.compile(r"[A-Za-z_/.~][\w/.\- ]*\w|[A-Za-z]")
_RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "nan", "inf"}
"""What some reader of YAML takes for something else than text."""


def comment(text: str) -> str:
    """One line, whatever the words are."""
    return "# " + " ".join(text.split())


def key_line(indent: int, key: str, value: Any, note: str = "") -> str:
    """A key and its value, with a comment behind it."""
    text = f"{' ' * indent}{key}: {flow(value)}"
    return f"{text}  {comment(note)}" if note else text


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, bool) or value is None or isinstance(value, int):
        return json.dumps(value)
    return _number(value) if isinstance(value, float) else _text(str(value))


def section(name: str, lines: Sequence[str]) -> list[str]:
    """A heading and what is below it."""
    return [f"{name}:", *lines]


def _number(value: float) -> str:
    text = f"{value:.10g}"
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}.0e{int(exponent)}" if e and "." not in mantissa else text


def _text(value: str) -> str:
    unquoted = _UNQUOTED.fullmatch(value) and value.lower() not in _RESERVED and not value.endswith(":")
    return value if unquoted else json.dumps(value, ensure_ascii=False)
