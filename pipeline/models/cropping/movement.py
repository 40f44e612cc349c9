"""How an operation moves over an image, whatever library runs it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.models.cropping.axes import AxisRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """How an operation moves over an image (n, channels, rows, cols)."""

    rows: AxisRule
    cols: AxisRule
    inputs: tuple[str, ...]
    """Names of the arguments that are images, or lists of them."""
    multiplications: int = 0
    """Of weights, for each pixel of the output."""
    joins: bool = False
    """Whether it lays images side by side, which copies them anyway."""
    sized: str | None = None
    """Argument that says how large the output is: (rows, cols)."""


class Unsupported(Exception):
    """What a network does is not cropped, for this reason."""
