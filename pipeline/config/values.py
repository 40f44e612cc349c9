"""What every part of a config is made of."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

Auto = Literal["auto"]
PerBand = float | list[float]
Count = Annotated[int, Field(ge=1)]

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
}
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([dhms])")
_TIME = re.compile(r"\s*".join(rf"(?:\d+(?:\.\d+)?\s*{unit})?" for unit in _SECONDS))
"""Each unit once at most, the longest first."""


def parse_bytes(value: str | int) -> int:
    """``3072MiB``, ``8 GB`` or a number → bytes. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(value))
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError(f"{value!r} is no amount of memory; write 3072MiB, 8GiB, a number of bytes, or auto")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def parse_seconds(value: str | float) -> float:
    """``23h30m``, ``1d2h``, ``90m``, ``3600s`` or a number of seconds → s. Raises ValueError."""
    text = str(value).strip().lower()
    text = f"{text}s" if re.fullmatch(r"[\d.]+", text) else text
    seconds = (
        sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)) if _TIME.fullmatch(text) else 0.0
    )
    if seconds <= 0:
        raise ValueError("give a time above 0: 23h30m, 1d2h, 90m, 3600s, or a number of seconds")
    return seconds


Seconds = Annotated[
    float,
    BeforeValidator(parse_seconds),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}),
]
"""A time, s, that may be written as `parse_seconds` reads it."""


class ConfigSection(BaseModel):
    """A part of the config; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
