r"""How much of each pixel a polygon covers, exactly: signed areas of its edges, summed along rows.

An edge that goes down through a pixel covers what lies to the right of it: a part of its own pixel, and the same height
of every pixel further right. An edge that goes up takes that away again::

        ┌─────┬─────┬─────┐        the edge goes down by dy in the middle pixel:
        │     │  \██│█████│        there it covers dy · (1 − x), where x is the mean of its distance from
        │     │   \█│█████│        the pixel's left side, and dy of each pixel to the right
        └─────┴─────┴─────┘
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from pipeline.geometry.ellipsoid import DoubleArray
from pipeline.geometry.window import Window

DECIMALS = 12
"""Digits that coverage is rounded to, so that pixels well inside are 1 and those outside 0."""


def coverage(shape: Any, window: Window) -> DoubleArray:
    """The share of each pixel of a window that lies in a polygon.

    Parameters
    ----------
    shape
        A valid Polygon or MultiPolygon of shapely in pixel coordinates: x is the column and y the row.
    window
        px.

    Returns
    -------
    NDArray
        (rows, cols) float64 from 0 to 1.
    """
    edges = _edges(shape, window)
    sign, x0, y0, x1, y1 = _pieces(edges, window.height, window.width)
    height, middle = sign * (y1 - y0), np.clip((x0 + x1) / 2, 0, window.width)
    row = np.minimum(((y0 + y1) / 2).astype(np.int64), window.height - 1)
    col = middle.astype(np.int64)
    first, size = row * (window.width + 2) + col, window.height * (window.width + 2)
    inside = height * (1 - (middle - col))
    steps = np.bincount(first, inside, size) + np.bincount(first + 1, height - inside, size)
    covered = np.abs(np.cumsum(steps.reshape(window.height, -1), axis=1)[:, : window.width])
    shares: DoubleArray = np.minimum(np.round(covered, DECIMALS), 1.0)
    return shares


def _edges(shape: Any, window: Window) -> DoubleArray:
    """(5, edges) direction, and x and y of the upper and the lower end, px of the window.

    The direction is 1 for an edge that goes down and −1 for one that goes up. Level edges are left out, and those that
    cover nothing in the window.
    """
    rings = shapely.get_rings(shapely.get_parts(shapely.normalize(shape)))  # holes run against the outline
    points, ring = shapely.get_coordinates(rings, return_index=True)
    points = points - (window.col, window.row)
    joined = ring[1:] == ring[:-1]
    starts, ends = points[:-1][joined], points[1:][joined]
    down = starts[:, 1] < ends[:, 1]
    (x0, y0), (x1, y1) = np.where(down[:, None], starts, ends).T, np.where(down[:, None], ends, starts).T
    near = (y0 != y1) & (y0 < window.height) & (y1 > 0) & (np.minimum(x0, x1) < window.width)
    edges: DoubleArray = np.stack((np.where(down, 1.0, -1.0), x0, y0, x1, y1))[:, near]
    return edges


def _pieces(edges: DoubleArray, height: int, width: int) -> DoubleArray:
    """(5, pieces) edges cut at every line between pixels, inside the window's rows.

    A cut lies on its line exactly, and both pieces share it, so that nothing is lost in between.
    """
    sign, x0, y0, x1, y1 = edges
    number, slope = np.arange(len(sign)), (x1 - x0) / (y1 - y0)
    top, bottom = np.maximum(y0, 0), np.minimum(y1, height)
    row_edge, row_line = _lines(top, bottom)
    col_edge, col_line = _lines(np.clip(np.minimum(x0, x1), 0, width), np.clip(np.maximum(x0, x1), 0, width))
    col_edge, col_line = col_edge[slope[col_edge] != 0], col_line[slope[col_edge] != 0]
    edge = np.concatenate((number, row_edge, number, col_edge))
    y = np.concatenate((top, row_line, bottom, (col_line - x0[col_edge]) / slope[col_edge] + y0[col_edge]))
    x = x0[edge] + (y - y0[edge]) * slope[edge]
    x[len(x) - len(col_line) :] = col_line
    y = np.clip(y, top[edge], bottom[edge])
    order = np.lexsort((x * np.sign(slope[edge]), y, edge))
    edge, x, y = edge[order], x[order], y[order]
    same = edge[1:] == edge[:-1]
    pieces: DoubleArray = np.stack((sign[edge[:-1]], x[:-1], y[:-1], x[1:], y[1:]))[:, same]
    return pieces


def _lines(low: DoubleArray, high: DoubleArray) -> tuple[npt.NDArray[np.int64], DoubleArray]:
    """The whole numbers from each low to its high, and which pair each belongs to."""
    first = np.ceil(low).astype(np.int64)
    counts = np.maximum(np.floor(high).astype(np.int64) - first + 1, 0)
    pair = np.repeat(np.arange(len(low)), counts)
    steps = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    return pair, (first[pair] + steps).astype(np.float64)
