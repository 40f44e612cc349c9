"""Margins: what an unpadded network leaves off at each side of an image, and the sizes that it takes.

Along one axis::

    |sss|bbbb|oooooooooooo|aaaa|pp|      s is skipped, b and a are left off, o is returned, p pads to a size that the network takes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.raster.span import Span, round_up
from pipeline.raster.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """One axis of a margin, px."""

    before: int
    """Left off above, or on the left."""
    after: int
    """Left off below, or on the right."""
    least: int
    """The smallest size that the network takes."""
    step: int
    """It takes every size that is so many px, or a multiple of that, more."""
    skip: int = 0
    """At the start of each tile, px that are not given to the network: its first pixel lies on its grid then."""

    @property
    def largest(self) -> int:
        """The larger of both sides, with what is skipped."""
        return max(self.skip + self.before, self.after)

    @property
    def minimum(self) -> int:
        """The smallest size of which a pixel is returned for sure."""
        return self.skip + max(self.before + self.after + self.step, self.least)

    def taken(self, size: int) -> int:
        """The smallest size that it takes and that holds so many px."""
        return self.least + max(-(-(size - self.least) // self.step), 0) * self.step

    def inside(self, span: Span, length: int) -> npt.NDArray[np.bool_]:
        """(px of the span,) whether they are not within the margin of an axis of so many px."""
        at = np.arange(span.start, span.stop)
        return (at >= self.before) & (at < length - self.after)

    def wider(self, other: Trim) -> Trim:
        """With as much on each side as the larger of four."""
        most = max(self.before, self.after, other.before, other.after)
        return replace(self, before=most, after=most)

    def apron(self, length: int, multiple: int) -> tuple[int, int]:
        """By how much an axis is padded before and after it, so that every pixel is returned; before in multiples of the stride.

        The network is given ``before`` px there, the rest is skipped; behind the axis there is as much as makes a size that it takes, at least ``after``.
        """
        behind = self.taken(self.before + length + self.after) - self.before
        return round_up(self.before, multiple), behind - length


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What an unpadded network leaves off on each side, and the sizes that it takes."""

    rows: Trim
    """Above and below."""
    cols: Trim
    """On the left and on the right."""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """From its plain values; an earlier release had one axis for both."""
        rows, cols = (said["rows"], said["cols"]) if "rows" in said else (said, said)
        return cls(rows=Trim(**rows), cols=Trim(**cols))

    @property
    def largest(self) -> int:
        """The largest of all sides, px."""
        return max(self.rows.largest, self.cols.largest)

    @property
    def minimum(self) -> int:
        """The smallest square, px, of which a pixel is returned for sure."""
        return max(self.rows.minimum, self.cols.minimum)

    @property
    def sides(self) -> str:
        """What is left off, in words."""
        rows, cols = self.rows, self.cols
        if {rows.before, rows.after, cols.before, cols.after} == {rows.before}:
            return f"{rows.before} px on each side"
        return f"{rows.before} px above, {rows.after} below, {cols.before} on the left and {cols.after} on the right"

    def turned(self, augment: str) -> Margin:
        """With as much on each side as tiles lose that are mirrored (``flips``) or also turned (``dihedral``)."""
        if augment == "none":
            return self
        rows, cols = (self.rows, self.cols) if augment == "flips" else (self.cols, self.rows)
        return Margin(rows=self.rows.wider(rows), cols=self.cols.wider(cols))

    def aprons(self, height: int, width: int, multiple: int, augment: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """By how much a raster is padded above and below, and on the left and on the right, so that every pixel is returned, in every way tiles are turned."""
        wide = self.turned(augment)
        trims = ((wide.rows, wide.cols), (wide.cols, wide.rows)) if augment == "dihedral" else ((wide.rows,), (wide.cols,))
        both = []
        for several, length in zip(trims, (height, width), strict=True):
            before, behind = (max(ends) for ends in zip(*(trim.apron(length, multiple) for trim in several), strict=True))
            both.append((before, behind if augment == "none" else max(before, behind)))
        return both[0], both[1]

    def inside(self, window: Window, height: int, width: int) -> npt.NDArray[np.bool_]:
        """(rows, cols) of a window: pixels of a raster that are not within the margin of its edges."""
        return np.asarray(self.rows.inside(window.rows, height)[:, None] & self.cols.inside(window.cols, width)[None, :])
