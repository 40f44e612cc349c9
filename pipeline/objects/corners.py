"""Corners of components: the lattice points at which their boundaries turn, by the four pixels around each point.

A boundary is walked with its component on the left, as seen on a screen, so that outer rings run counter-clockwise::

    a b      a point and its pixels: a is above and to the left of it
     +
    c d

A component has one corner at a point where it holds one or three of these pixels, and none where it holds two side by
side. Where it holds two that touch by their corners alone, it has two corners, which walk around the other two pixels:
both pixels are one 4-connected component, which therefore encloses one of the others, and its ring is a hole that
touches the outer ring at this point, as OGC wants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s

NORTH, EAST, SOUTH, WEST = range(4)
"""Directions in which a boundary leaves a point."""
TO_EAST, TO_SOUTH, NODE, STRAIGHT = 4, 8, 16, 32
"""Flags of a turn: its edge along the row leads to the east; that along the column to the south; boundaries of three
regions meet at the point; the boundary goes straight on."""

CORNER = np.dtype([("part", "<i8"), ("row", "<i4"), ("col", "<i4"), ("turn", "u1")])
"""One corner: its 4-connected component, its lattice point, and a direction with flags."""
SHARED_CORNER = np.dtype([*CORNER.descr, ("other", "<i8")])
"""One corner, and the component on the other side where there is only one: −1 is nodata."""


Quads = Int64s
"""(n, 4) the components of the pixels a, b, c and d."""


@dataclass(frozen=True, slots=True)
class _Turns:
    """Corners by the pixels that a component holds: bit k is set for pixel k of a, b, c and d."""

    first: npt.NDArray[np.int16]
    second: npt.NDArray[np.int16]
    straight: npt.NDArray[np.int16]
    """Where a boundary goes straight on."""

    @classmethod
    def table(cls) -> _Turns:
        """The sixteen patterns; −1 stands for none."""
        first, second, straight = (np.full(16, -1, dtype=np.int16) for _ in range(3))
        for pixel in range(4):
            first[1 << pixel] = _turn(pixel, convex=True)
            first[15 ^ (1 << pixel)] = _turn(pixel, convex=False)
        first[0b1001], second[0b1001] = _turn(1, convex=False), _turn(2, convex=False)
        first[0b0110], second[0b0110] = _turn(0, convex=False), _turn(3, convex=False)
        straight[[0b0011, 0b1100, 0b0101, 0b1010]] = STRAIGHT | np.array([EAST, WEST, NORTH, SOUTH])
        return cls(first, second, straight)


def _turn(pixel: int, convex: bool) -> int:
    """The corner around one pixel, which is the only one of the component, or the only one that is not."""
    east, south = pixel % 2 == 1, pixel >= 2
    along_column = (pixel in (0, 3)) == convex
    direction = (NORTH, SOUTH)[south] if along_column else (WEST, EAST)[east]
    return direction | TO_EAST * east | TO_SOUTH * south


_TURNS = _Turns.table()


def turning(turns: npt.NDArray[np.uint8]) -> Int64s:
    """1 where a boundary turns left at a corner, −1 where it turns right, 0 where it goes straight on.

    They add up to 4 around an outer ring, and to −4 around a hole.
    """
    along_column = turns % 2 == 0
    is_convex = (((turns & TO_EAST) > 0) == ((turns & TO_SOUTH) > 0)) == along_column
    return np.where(turns & STRAIGHT, 0, np.where(is_convex, 1, -1))


def corners(
    padded: Int64s, row: int, col: int, chosen: npt.NDArray[np.bool_], shared: bool = False
) -> npt.NDArray[Any]:
    """The corners at the lattice points inside an array of components.

    Parameters
    ----------
    padded
        (rows + 1, cols + 1) components of pixels, −1 at nodata.
    row, col
        Of the first lattice point, which lies between the first four pixels.
    chosen
        (components,) which of them are looked at.
    shared
        Give `SHARED_CORNER` with the components on the other side, and also where a boundary goes straight on through a
        point where boundaries of three regions meet.

    Returns
    -------
    ndarray
        Records of `CORNER`, in no particular order.
    """
    rows, cols, quads = _quads(padded)
    nodes = _degree(quads) > 2
    batches = []
    for pixel in range(4):
        parts = quads[:, pixel]
        wanted = (parts >= 0) & ~(quads[:, :pixel] == parts[:, None]).any(axis=1)
        wanted[wanted] = chosen[parts[wanted]]
        at = np.flatnonzero(wanted)
        holds = quads[at] == parts[at, None]
        patterns = holds @ np.array([1, 2, 4, 8])
        others = np.where(holds, np.int64(-1), quads[at]).max(axis=1, initial=-1) if shared else None
        for turns in (_TURNS.first, _TURNS.second, *([_TURNS.straight] if shared else [])):
            turn = turns[patterns]
            present = turn >= 0
            batch = np.empty(int(present.sum()), dtype=SHARED_CORNER if shared else CORNER)
            points = at[present]
            batch["part"], batch["row"], batch["col"] = parts[points], row + rows[points], col + cols[points]
            batch["turn"] = turn[present] | NODE * nodes[points]
            if others is not None:
                batch["other"] = others[present]
            batches.append(batch)
    return np.concatenate(batches)


def _quads(padded: Int64s) -> tuple[Int64s, Int64s, Quads]:
    """Points at which some boundary turns or meets another: their rows and columns, and the pixels around them."""
    pixels = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    a, b, c, d = pixels
    straight = ((a == b) & (c == d)) | ((a == c) & (b == d))
    rows, cols = np.nonzero(~straight)
    return rows, cols, np.stack([pixel[rows, cols] for pixel in pixels], axis=1)


def _degree(quads: Quads) -> Int64s:
    """How many pixel edges of boundaries meet at each point."""
    a, b, c, d = quads.T
    return np.asarray(np.sum([a != b, c != d, a != c, b != d], axis=0))
