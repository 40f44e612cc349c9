"""What a document of a library states of a network, whichever library wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryNetwork:
    """A network that a library builds from its document."""

    library: str
    kind: str
    """As ``model.kind`` has it."""
    arch: str
    args: dict[str, Any] = field(default_factory=dict)
    bands: int | None = None
    band_names: tuple[str, ...] = ()
    channels: int | None = None
    channel_names: tuple[str, ...] = ()
    input: dict[str, Any] = field(default_factory=dict)
    """Keys of ``model.input``."""
    input_origin: str | None = None
    """Who has these keys, where the document does not."""
    input_fault: str | None = None
    """Why the images cannot be prepared as the library does; None where they can."""
    output: dict[str, Any] = field(default_factory=dict)
    """Keys of ``model.output``."""
    output_fault: str | None = None
    """Why what the network returns cannot be used; None where it can."""
    fault: str | None = None
    """Why the library alone cannot build the network, and what to do; None where it can."""
    code: str | None = None
    """Code that would have to be executed for the network."""
    hints: tuple[str, ...] = ()
