"""What every part of a config is made of."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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


def parse_bytes(said: str | int) -> int:
    """``3072MiB``, ``8 GB`` or a number → bytes. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(said))
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError(f"{said!r} is no amount of memory; write 3072MiB, 8GiB, a number of bytes, or auto")
    return int(float(match[1]) * _UNITS[match[2].lower()])


class Section(BaseModel):
    """A part of the config; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
