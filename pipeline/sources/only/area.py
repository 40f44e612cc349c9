"""What of a raster is asked for: ``source.aoi``, ``source.only``, or what both have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.window import Window

_PIXEL_TRIES = 64
"""Pixels of one part that are drawn until one lies in the other."""


class RequestedArea(Protocol):
    """Some of the pixels of a raster. Safe from many threads; hashable, and pickles as a small spec."""

    @property
    def digest(self) -> str:
        """Of all that decides which pixels they are."""

    @property
    def description(self) -> str:
        """What limits the raster, in the plural, for messages."""

    @property
    def place(self) -> str:
        """The same for the plan: a path, or ``tissue``."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of it."""

    def read(self, window: Window, step: int = 1) -> npt.NDArray[np.bool_]:
        """(rows, cols) whether a pixel is asked for; False beyond the raster.

        With a step, of a window of an overview of so many px per pixel: whether the middle of each is.
        """

    def touches(self, windows: Sequence[Window]) -> npt.NDArray[np.bool_]:
        """(windows,) whether any pixel of a window is asked for."""

    def blocks(self, layout: BlockGrid) -> Iterator[BlockIndex]:
        """Blocks with a pixel that is asked for, in the order in which blocks are read."""

    def random_pixel(self, rng: np.random.Generator) -> tuple[int, int]:
        """(row, col) of a pixel that is asked for, or near one."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Intersection:
    """What two areas have in common."""

    first: RequestedArea
    second: RequestedArea

    @property
    def digest(self) -> str:
        """Of both."""
        return f"{self.first.digest} {self.second.digest}"

    @property
    def description(self) -> str:
        """Both, for messages."""
        return f"{self.first.description} and {self.second.description} together"

    @property
    def place(self) -> str:
        """Both, for the plan."""
        return f"{self.first.place} and {self.second.place}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Of both."""
        return (*self.first.notes, *self.second.notes)

    def read(self, window: Window, step: int = 1) -> npt.NDArray[np.bool_]:
        """(rows, cols) whether a pixel lies in both."""
        pixels = self.first.read(window, step)
        return pixels & self.second.read(window, step) if pixels.any() else pixels

    def touches(self, windows: Sequence[Window]) -> npt.NDArray[np.bool_]:
        """(windows,) whether any pixel of a window lies in both."""
        touched = self.first.touches(windows) & self.second.touches(windows)
        for i in np.flatnonzero(touched).tolist():
            touched[i] = self.read(windows[i]).any()
        return touched

    def blocks(self, layout: BlockGrid) -> Iterator[BlockIndex]:
        """Blocks with a pixel in both, in the order in which blocks are read."""
        return (index for index in self.first.blocks(layout) if self.touches([layout.window(index)])[0])

    def random_pixel(self, rng: np.random.Generator) -> tuple[int, int]:
        """(row, col) of a pixel in both, or near them where they have little in common."""
        for _ in range(_PIXEL_TRIES):
            row, col = self.second.random_pixel(rng)
            if self.first.read(Window(row=row, col=col, height=1, width=1)).any():
                break
        return row, col


def intersected(parts: Sequence[RequestedArea | None]) -> RequestedArea | None:
    """What areas have in common, of which None is everything."""
    areas = [part for part in parts if part is not None]
    if not areas:
        return None
    return areas[0] if len(areas) == 1 else Intersection(first=areas[0], second=areas[1])


@dataclass(frozen=True, kw_only=True)
class SourceAreas:
    """The areas of a section ``source``, each None where it is not given."""

    aoi: RequestedArea | None = None
    only: RequestedArea | None = None
    settings: dict[str, Any] | None = None
    """``source.tissue``, by which tissue was estimated."""
    tissue: dict[str, Any] | None = None
    """The tissue itself, as a store keeps it."""

    @property
    def area(self) -> RequestedArea | None:
        """What is asked for; None where everything is."""
        return intersected([self.aoi, self.only])

    def identity(self) -> dict[str, Any]:
        """What of the fingerprint they are, without ``source.``."""
        return {
            "aoi": self.aoi.digest if self.aoi else None,
            "only": self.only.digest if self.only else None,
            "tissue": self.settings,
        }
