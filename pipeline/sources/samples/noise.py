"""Smooth random fields over the plane: any window can be computed by itself, and windows fit together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window

Field = npt.NDArray[np.float32]


def smooth(window: Window, period: float, seed: int) -> Field:
    """Values in about −1…1 that vary over ``period`` px: random numbers on a lattice, interpolated smoothly.

    The interpolation is separable, so it is two matrix products.
    """
    rows, first_row = _weights(window.row, window.height, period)
    cols, first_col = _weights(window.col, window.width, period)
    lattice = _lattice(first_row, rows.shape[1], first_col, cols.shape[1], seed)
    return np.asarray(rows @ lattice @ cols.T, dtype=np.float32)


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


def _weights(start: int, size: int, period: float) -> tuple[Field, int]:
    """Interpolation matrix (size, nodes) of an axis and its first node."""
    at = (np.arange(start, start + size) + 0.5) / period
    node = np.floor(at).astype(int)
    t = at - node
    t = t * t * (3 - 2 * t)
    first, last = int(node[0]), int(node[-1])
    weights = np.zeros((size, last - first + 2), dtype=np.float32)
    weights[np.arange(size), node - first] = 1 - t
    weights[np.arange(size), node - first + 1] = t
    return weights, first
