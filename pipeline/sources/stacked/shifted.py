"""A source that is moved by whole pixels."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels
from pipeline.sources.wrappers.wrapper import SourceWrapper


@dataclass(frozen=True, kw_only=True)
class Shifted(SourceWrapper):
    """A source on a grid that has its pixels, with another corner or size. Its numbers stay as they are."""

    target: Grid
    row: int
    """Row of the source at which the grid begins; below 0 where the grid reaches beyond it."""
    col: int

    @property
    def grid(self) -> Grid:
        """The target."""
        return self.target

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the source, with how it is moved."""
        height, width = self.source.grid.height, self.source.grid.width
        return (
            *self.source.notes,
            f"its {height} × {width} px lie from row {-self.row} and column {-self.col} on, by whole pixels",
        )

    def read(self, window: Window) -> Pixels:
        """Read a window of the target; what lies outside the source is invalid. Raises ReadError."""
        moved = Window(row=window.row + self.row, col=window.col + self.col, height=window.height, width=window.width)
        return self.source.read(moved)
