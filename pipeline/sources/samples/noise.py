"""Smooth random fields over the plane: any window can be computed by itself, and windows fit together."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window

Field = npt.NDArray[np.float32]


def smooth(window: Window, period: float, seed: int) -> Field:
    """Values in about −1…1 that vary over ``period`` px: random numbers on a lattice, interpolated smoothly.

    The interpolation is separable: columns first, on the few rows of the lattice. It is no product of matrices: a BLAS
    would start threads of its own in each of several threads that ask for fields.
    """
    (row, down), (col, across) = (_place(np.arange(start, start + size), period) for start, size in _axes(window))
    lattice = _lattice(int(row[0]), int(row[-1]) - int(row[0]) + 2, int(col[0]), int(col[-1]) - int(col[0]) + 2, seed)
    lines = _between(lattice.T, col - col[0], across).T
    return _between(np.ascontiguousarray(lines), row - row[0], down)


def smooth_at(rows: Field, cols: Field, period: float, seed: int) -> Field:
    """`smooth` at points, in px of its windows' rows and columns: arrays (points,)."""
    total = np.zeros(len(rows), dtype=np.float32)
    (row, down), (col, across) = (_place(np.asarray(axis), period) for axis in (rows, cols))
    for below, right in product((0, 1), repeat=2):
        weight = (down if below else 1 - down) * (across if right else 1 - across)
        total += weight.astype(np.float32) * (2 * pixels(row + below, col + right, seed) - 1)
    return total


def fractal(window: Window, periods: tuple[float, ...], seed: int, roughness: float = 0.5) -> Field:
    """A sum of smooth fields, each finer and weaker than the one before, in about −1…1."""
    weights = [roughness**k for k in range(len(periods))]
    total = np.zeros((window.height, window.width), dtype=np.float32)
    for k, (period, weight) in enumerate(zip(periods, weights, strict=True)):
        total += np.float32(weight) * smooth(window, period, seed * 101 + k)
    return total / np.float32(sum(weights))


def distance_to_zero(window: Window, periods: tuple[float, ...], seed: int) -> Field:
    """About how far each pixel is from the nearest zero of a field, px: rivers and roads follow such lines."""
    grown = Window(row=window.row - 1, col=window.col - 1, height=window.height + 2, width=window.width + 2)
    values = fractal(grown, periods, seed, 0.35)
    down, right = np.gradient(values)
    slope = np.hypot(down, right) + np.float32(1e-5)
    return np.asarray(np.abs(values) / slope)[1:-1, 1:-1]


def pixels(rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64], seed: int) -> Field:
    """A random number in 0…1 for each pair of whole numbers: the same pair, the same number."""
    mixed = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + cols.astype(np.uint64) * np.uint64(
        0xC2B2AE3D27D4EB4F
    )
    mixed += np.uint64(seed * 0x165667B19E3779F9 % 2**64)
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    return ((mixed >> np.uint64(40)).astype(np.float32)) / np.float32(2**24)


def _lattice(row: int, height: int, col: int, width: int, seed: int) -> Field:
    rows, cols = np.meshgrid(np.arange(row, row + height), np.arange(col, col + width), indexing="ij")
    return 2 * pixels(rows, cols, seed) - 1


def _axes(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    return (window.row, window.height), (window.col, window.width)


def _between(lines: Field, node: npt.NDArray[np.int64], weight: npt.NDArray[np.float64]) -> Field:
    """(pixels, n) interpolated along the first axis of lines (nodes, n)."""
    slope = np.take(np.diff(lines, axis=0), node, axis=0)
    slope *= weight.astype(np.float32)[:, None]
    slope += np.take(lines, node, axis=0)
    return slope


def _place(at: npt.NDArray[Any], period: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The node before each pixel of an axis, and the weight of the next one."""
    share = (at + 0.5) / period
    node = np.floor(share).astype(np.int64)
    t = share - node
    return node, t * t * (3 - 2 * t)
