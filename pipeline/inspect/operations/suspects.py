"""What is to blame where tiles cannot equal the whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NonLocalOps:
    """Layers and operations that speak against tiles, in the order they were met."""

    everywhere: tuple[str, ...]
    """They look at the whole image."""
    positions: tuple[str, ...]
    """They know where in the image they are."""
    data: tuple[str, ...]
    """Where they look, or whether, depends on the pixels."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every one of them."""
        return self.everywhere + self.positions + self.data
