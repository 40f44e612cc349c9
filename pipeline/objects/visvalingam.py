"""Simplification of lines by the areas of triangles.

Source: M. Visvalingam and J. D. Whyatt, Line generalisation by repeated elimination of points, The Cartographic Journal
30 (1993).
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.objects.columns import Int64s


def kept_points(points: Int64s, area: float) -> npt.NDArray[np.bool_]:
    """Which points of a line stay: again and again the one that spans the smallest triangle with its neighbours goes.

    Ends stay, and so do two points between the ends of a closed line. Of triangles of one size, that of the earlier
    point goes first. Areas are whole numbers of half pixels, so that nothing is rounded.

    Parameters
    ----------
    points
        (n, 2) row and col of lattice points; a closed line ends where it begins.
    area
        Triangles up to this size go, px².

    Returns
    -------
    ndarray
        (n,) bool.
    """
    # arrays and whole numbers take half of the memory of lists and tuples
    rows, cols = array("q", points[:, 0].tobytes()), array("q", points[:, 1].tobytes())
    count, last = len(rows), len(rows) - 1
    spare = count - (4 if rows[0] == rows[-1] and cols[0] == cols[-1] else 2)
    before, after = array("q", range(-1, last)), array("q", range(1, count + 1))
    sizes = array("q", (_double_area(rows, cols, max(k - 1, 0), k, min(k + 1, last)) for k in range(count)))
    heap = [sizes[k] * count + k for k in range(1, last) if sizes[k] <= 2 * area]
    heapq.heapify(heap)
    kept = np.ones(count, dtype=bool)
    while heap and spare > 0:
        size, k = divmod(heapq.heappop(heap), count)
        if size != sizes[k] or not kept[k]:
            continue
        kept[k] = False
        spare -= 1
        low, high = before[k], after[k]
        after[low], before[high] = high, low
        for at in (low, high):
            if 0 < at < last:
                sizes[at] = _double_area(rows, cols, before[at], at, after[at])
                if sizes[at] <= 2 * area:
                    heapq.heappush(heap, sizes[at] * count + at)
    return kept


def _double_area(rows: Sequence[int], cols: Sequence[int], a: int, b: int, c: int) -> int:
    return abs((rows[b] - rows[a]) * (cols[c] - cols[a]) - (rows[c] - rows[a]) * (cols[b] - cols[a]))
