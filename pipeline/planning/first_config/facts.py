"""What is known of a model before it runs, whoever says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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
