"""Margins: what an unpadded network leaves off at each side of an image, and the sizes that it takes.

Along one axis::

    |sss|bbbb|oooooooooooo|aaaa|pp|      s is skipped, b and a are left off, o is returned, p pads to a size that the
    network takes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.geometry.span import Span, round_down, round_up
from pipeline.geometry.window import Window


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
    tile: int | None = None
    """Of a network that takes one size, ``least``: that of every tile, of which the rest is not given; None where it
    takes several."""

    @property
    def slack(self) -> int:
        """At the end of each tile, px that are not given to the network."""
        return 0 if self.tile is None else self.tile - self.skip - self.least

    @property
    def largest(self) -> int:
        """The larger of both sides, with what is not given."""
        return max(self.skip + self.before, self.after + self.slack)

    @property
    def minimum(self) -> int:
        """The smallest size of which a pixel is returned for sure."""
        return self.tile if self.tile is not None else self.skip + max(self.before + self.after + self.step, self.least)

    def given(self, size: int) -> int:
        """Of so many px, how many the network is given: as many as it takes and more, or its one size."""
        return self.accepted_size(size) if self.tile is None else self.least

    def accepted_size(self, size: int) -> int:
        """The smallest size that it takes, or would by the same rule, and that holds so many px."""
        return self.least + max(-(-(size - self.least) // self.step), 0) * self.step

    def inside(self, span: Span, length: int) -> npt.NDArray[np.bool_]:
        """(px of the span,) whether they are not within the margin of an axis of so many px."""
        at = np.arange(span.start, span.stop)
        return (at >= self.before) & (at < length - self.after)

    def wider(self, other: Trim) -> Trim:
        """With as much on each side as the larger of four."""
        largest = max(self.before, self.after, other.before, other.after)
        return replace(self, before=largest, after=largest)

    def apron(self, length: int, padded: bool) -> tuple[int, int]:
        """What tiles see before and behind an axis of so many px, where every pixel is to be returned or not.

        Of that the network is given ``before`` px, and behind the axis as much as makes a size that it takes, at least
        ``after``; or nothing.
        """
        trailing = self.accepted_size(self.before + length + self.after) - self.before - length if padded else 0
        return self.skip + (self.before if padded else 0), trailing + self.slack

    def ends(self, core: int, multiple: int) -> tuple[int, int]:
        """Of the one size, what lies before and behind a core on the stride of which all is returned, px.

        Before in multiples of the stride.
        """
        leading = round_up(self.skip + self.before, multiple)
        return leading, self.skip + self.least - leading - core

    def core(self, multiple: int) -> int:
        """Of the one size, how many px on the stride are returned."""
        return max(round_down(self.skip + self.least - self.after - self.ends(0, multiple)[0], multiple), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What an unpadded network leaves off on each side, and the sizes that it takes."""

    rows: Trim
    """Above and below."""
    cols: Trim
    """On the left and on the right."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From its plain values; an earlier release had one axis for both."""
        rows, cols = (values["rows"], values["cols"]) if "rows" in values else (values, values)
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
    def maximum(self) -> int | None:
        """The one size that tiles have, px; None where they may have several."""
        return self.rows.tile

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

    def in_one_size(self, multiple: int) -> Margin:
        """Of a network that takes one size.

        With tiles whose core, a multiple of the stride, lies in their middle, as halo tiles need it.

        ::

            |ss|bbbb|cccccccc|aa|pp|      b, c and a are the one size; s is skipped and p is not given, so that as much
            lies before the core c as behind it
        """
        trims = self.rows, self.cols
        core = min(trim.core(multiple) for trim in trims)
        ends = [trim.ends(core, multiple) for trim in trims]
        halo = max(round_up(end, multiple) for pair in ends for end in pair)
        rows, cols = (
            replace(trim, skip=trim.skip + halo - leading, tile=core + 2 * halo)
            for trim, (leading, _) in zip(trims, ends, strict=True)
        )
        return Margin(rows=rows, cols=cols)

    def aprons(
        self, height: int, width: int, multiple: int, augment: str, padded: bool
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        """What tiles see above and below a raster, and on its left and right, in every way they are turned.

        See `Trim.apron`.
        """
        wide = self.turned(augment)
        trims = (
            ((wide.rows, wide.cols), (wide.cols, wide.rows)) if augment == "dihedral" else ((wide.rows,), (wide.cols,))
        )
        per_axis = []
        for axis_trims, length in zip(trims, (height, width), strict=True):
            leading, trailing = (
                max(ends) for ends in zip(*(trim.apron(length, padded) for trim in axis_trims), strict=True)
            )
            if augment != "none":  # what one side lacks, the other does once a tile is turned
                leading = round_up(
                    max(leading, *(trim.largest if padded else trim.slack for trim in axis_trims)), multiple
                )
                trailing = max(leading, trailing)
            per_axis.append((leading, trailing))
        return per_axis[0], per_axis[1]

    def inside(self, window: Window, height: int, width: int) -> npt.NDArray[np.bool_]:
        """(rows, cols) of a window: pixels of a raster that are not within the margin of its edges."""
        return np.asarray(
            self.rows.inside(window.rows, height)[:, None] & self.cols.inside(window.cols, width)[None, :]
        )
