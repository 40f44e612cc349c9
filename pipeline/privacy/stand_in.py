"""A stand-in for a name: a hash that nobody can compute who lacks the user's key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pipeline.privacy.key import redaction_key

STAND_IN_PREFIX = "redacted://"
"""How each stand-in begins. It reads as a URL, so that nobody takes it for a path relative to a folder."""
DIGEST_BYTES = 16
PUBLIC_PREFIXES = ("sample://", STAND_IN_PREFIX)
"""Beginnings of names that tell nothing of anybody."""


def stand_in(name: object) -> str:
    """A keyed BLAKE2b (RFC 7693) of a name, as text; what tells nothing of anybody stays as it is."""
    text = str(name)
    if text.startswith(PUBLIC_PREFIXES):
        return text
    key = hashlib.blake2b(redaction_key()).digest()  # of any length a key of 64 bytes
    return STAND_IN_PREFIX + hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES, key=key).hexdigest()


def stand_ins_in(value: Any, key: str = "") -> list[str]:
    """Dotted keys of all stand-ins in plain values, each with its section before it."""
    if isinstance(value, Mapping):
        return [place for name, part in value.items() for place in stand_ins_in(part, f"{key}.{name}".lstrip("."))]
    if isinstance(value, list | tuple):
        return [place for part in value for place in stand_ins_in(part, key)]
    return [key] if isinstance(value, str) and value.startswith(STAND_IN_PREFIX) else []
