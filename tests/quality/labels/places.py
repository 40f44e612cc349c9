"""Grids of many kinds over one place, and where their pixels' centres lie."""

from __future__ import annotations

import numpy as np
import pyproj
from affine import Affine

from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.store.spec import ClassRow

UTM, LAEA, DEGREES = "EPSG:32633", "EPSG:3035", "EPSG:4326"
FAR = 300
"""How far beyond an array a window of it may reach, px."""
CLASSES = tuple(
    ClassRow(code=code, name=name, color="#123456")
    for code, name in ((0, "ground"), (1, "water"), (2, "wood"), (7, "house"))
)


def grid(height: int, width: int, transform: Affine, crs: str | None = UTM) -> Grid:
    return Grid(
        height=height,
        width=width,
        transform=tuple(transform)[:6],
        wkt=pyproj.CRS.from_user_input(crs).to_wkt() if crs else None,
        code=crs,
        unit="crs" if crs else "px",
    )


NORTH_UP = Affine(10, 0, 500_000, 0, -10, 4_600_000)
GRIDS = {
    "the labels' own": grid(200, 260, NORTH_UP),
    "shifted by whole pixels": grid(120, 150, NORTH_UP * Affine.translation(-20, 37)),
    "shifted by a part of a pixel": grid(120, 150, NORTH_UP * Affine.translation(0.37, -5.62)),
    "finer": grid(300, 350, NORTH_UP * Affine.translation(50, 40) * Affine.scale(0.31)),
    "coarser": grid(50, 60, NORTH_UP * Affine.translation(-10, -10) * Affine.scale(4.7)),
    "rotated": grid(180, 190, NORTH_UP * Affine.translation(60, 20) * Affine.rotation(27) * Affine.scale(0.9)),
    "in degrees": grid(200, 260, Affine(1.2e-4, 0, 15.001, 0, -9e-5, 41.5492), DEGREES),
    "in another CRS, rotated": grid(200, 220, Affine(9.1, 3.3, 4_739_400, 3.3, -9.1, 2_063_500), LAEA),
    "south up": grid(150, 160, Affine(10, 0, 500_100, 0, 10, 4_598_300)),
}


def whole(of: Grid) -> Window:
    return Window(row=0, col=0, height=of.height, width=of.width)


def centres(of: Grid, crs: str) -> tuple[np.ndarray, np.ndarray]:
    """(rows, cols) x and y of every pixel's centre in a CRS."""
    cols, rows = np.meshgrid(np.arange(of.width) + 0.5, np.arange(of.height) + 0.5)
    x, y = Affine(*of.transform) * (cols, rows)
    return pyproj.Transformer.from_crs(of.code, crs, always_xy=True).transform(x, y)


def windows(of: Grid, seed: int = 0, count: int = 12) -> list[Window]:
    """At random, some beyond the edges."""
    rng = np.random.default_rng(seed)
    return [
        Window(row=int(row), col=int(col), height=int(height), width=int(width))
        for row, col, height, width in zip(
            rng.integers(-20, of.height, count),
            rng.integers(-20, of.width, count),
            rng.integers(1, 90, count),
            rng.integers(1, 90, count),
            strict=True,
        )
    ]


def cut(array: np.ndarray, window: Window, fill: int) -> np.ndarray:
    """A window of an array, filled where it reaches beyond."""
    padded, row, col = np.pad(array, FAR, constant_values=fill), window.row + FAR, window.col + FAR
    return padded[row : row + window.height, col : col + window.width]
