"""What pydantic says of a value, without its names of classes and types of Python."""

from __future__ import annotations

import re

_PLAIN_PHRASES = (
    (re.compile(r"^Value error, "), ""),
    (re.compile(r"a valid dictionary( or instance of \w+)?"), "a section of keys and values"),
    (re.compile(r"a valid (tuple|list)"), "a list"),
    (
        re.compile(r"^(?:Dictionary|List|Tuple) should (have at least \d+ items?) after validation, not (\d+)"),
        r"It has to \1, not \2",
    ),
)
"""Phrases of pydantic, and what a user of a config calls them."""


def plain_reason(message: str) -> str:
    """The message of one error of pydantic, in words of the config."""
    for phrase, plain in _PLAIN_PHRASES:
        message = phrase.sub(plain, message)
    return message
