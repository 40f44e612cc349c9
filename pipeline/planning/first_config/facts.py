"""What is known of a model before it runs, whoever says so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EIGHT_BITS = 1 / 255
"""Scale of those who feed 8-bit images as numbers from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a model file, or one beside it, says."""

    description: str
    """The file, in words."""
    model: dict[str, Any]
    """Keys of the config's section ``model``: kind, factory, arch, args."""
    runs: bool = True
    """Whether the file holds all it takes to run it."""
    is_native: bool = False
    """Whether a job reads all of this from the file, so that it need not be in the config."""
    bands: int | None = None
    band_names: tuple[str, ...] = ()
    """Of its training, in order, where they have names."""
    channels: int | None = None
    classes: list[dict[str, Any]] = field(default_factory=list)
    """Name, and colour where there is one."""
    input: dict[str, Any] = field(default_factory=dict)
    """Normalisation and training size."""
    output: dict[str, Any] = field(default_factory=dict)
    pixel_size: float | None = None
    """Of its training, m, where it is known."""
    origin: str = "the file"
    """Who says so."""
    notes: tuple[str, ...] = ()
    """What else is worth reading."""
    todo: tuple[str, ...] = ()
    """What has to be added before it runs."""


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
