"""Arcs: boundaries between two regions, from one point where three or more meet to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s
from pipeline.objects.corners import NODE
from pipeline.objects.lattice import NO_COMPONENT
from pipeline.objects.rings import Rings


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """One arc, in the direction that does not depend on the side from which it was traced."""

    points: Int64s
    """(n, 2) row and col; a closed arc ends where it begins, at its lowest row, then column."""
    has_nodes: bool
    """Whether its ends are points where arcs meet; closed arcs may have none."""
    part: int
    """The component from which it was traced."""
    other: int
    """The component on the other side, −1 for nodata; that of an arc without points between its ends is not known."""


def arcs_of(rings: Rings, corners: npt.NDArray[Any]) -> Iterator[Arc]:
    """The arcs of rings, each once for every side from which it is traced.

    Parameters
    ----------
    rings
        Rings of whole components.
    corners
        Records of `pipeline.objects.corners.SHARED_CORNER` from which they were traced.
    """
    parts, others = corners["part"][rings.order], corners["other"][rings.order]
    points = np.stack([rings.rows, rings.cols], axis=1).astype(np.int64)
    at_node = (rings.turns & NODE) > 0
    ends = np.cumsum(rings.sizes)
    for start, stop in zip((ends - rings.sizes).tolist(), ends.tolist(), strict=True):
        part = int(parts[start])
        nodes = np.flatnonzero(at_node[start:stop])
        if not len(nodes):
            closed = np.concatenate([points[start:stop], points[start : start + 1]])
            yield Arc(points=_directed(closed), has_nodes=False, part=part, other=int(others[start]))
            continue
        order = np.concatenate([np.arange(start + nodes[0], stop), np.arange(start, start + nodes[0] + 1)])
        ring, ring_others, cuts = points[order], others[order], (nodes - nodes[0]).tolist()
        for begin, end in zip(cuts, [*cuts[1:], stop - start], strict=True):
            other = int(ring_others[begin + 1]) if end - begin > 1 else NO_COMPONENT
            yield Arc(points=_directed(ring[begin : end + 1]), has_nodes=True, part=part, other=other)


def _directed(points: Int64s) -> Int64s:
    """Points from the lower end to the higher; a closed arc sets out for the lower of the neighbours of its end."""
    first, last = points[0].tolist(), points[-1].tolist()
    if first == last:
        first, last = points[1].tolist(), points[-2].tolist()
    return points[::-1] if first > last else points
