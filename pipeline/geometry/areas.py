"""Areas of pixels: on the ellipsoid wherever the CRS has a datum, planar only where there is none."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from numpy.polynomial.legendre import leggauss, legvander

from pipeline.geometry.ellipsoid import (
    SMALL_DIFFERENCE_STEP,
    DoubleArray,
    Ellipsoid,
    MapScale,
    axis_in_units,
    ellipsoid_of,
    has_datum,
    is_degrees,
    unit_size,
)
from pipeline.geometry.grid import Grid, Transform
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window

AreaUnit = Literal["m2", "um2", "px"]
AreaMethod = Literal["ellipsoidal", "planar"]

POINTS = 6
"""Points per axis at which the areal scale is taken in a cell; a polynomial of degree 5 lies between them."""
GAUSS = leggauss(POINTS)
"""Those points from −1 to 1, and their weights."""
MEANS = leggauss(POINTS // 2)
"""Points and weights by which the mean of such a polynomial over a pixel is exact."""
CELL = 0.02
"""Side of a cell, radians of the ellipsoid's axis: 128 km on earth. The polynomial is then good to about 1e-12."""
CURVED = 1e-10
"""Share of the highest coefficients of that polynomial from which a cell is halved instead."""

CALLER_PRODUCTS = 2**18
"""Multiplications of a product of matrices that OpenBLAS leaves to the thread that asks for it."""


class PixelAreas(Protocol):
    """Areas of the pixels of one grid. The area of a pixel never depends on the window that it is asked with."""

    @property
    def unit(self) -> AreaUnit:
        """``m2``, ``um2`` (grids in µm) or ``px`` (grids without CRS and size)."""

    @property
    def method(self) -> AreaMethod:
        """``ellipsoidal``: ground on the ellipsoid of the CRS; ``planar``: the product of the pixel's sides."""

    def row(self, row: int) -> float | None:
        """The area of each pixel of a row, where it depends on the row alone, else None."""

    def of(self, window: Window) -> DoubleArray:
        """Areas of the pixels of a window: float64, of a shape that broadcasts to (rows, cols)."""

    def total(self, window: Window) -> float:
        """The sum over the pixels of a window, however large: no array of its size is made."""


def pixel_areas(grid: Grid) -> PixelAreas:
    """The areas of a grid's pixels.

    Geographic grids along the axes take the closed form between parallels: a pixel lies between two parallels and two
    meridians. A ring of geodesics through the corners of all pixels of a region's outline is the same area but for
    w²/12 or so, where w is the width of a pixel in radians: below 1e-9 for pixels under 0.004°.

    All other grids on a datum take the integral of the inverse areal scale over each pixel. Grids without a datum take
    the product of the sides.

    Raises
    ------
    InputError
        PROJ does not know the CRS.
    """
    planar = abs(_determinant(grid.transform))
    if grid.unit == "px" and grid.wkt is None:
        return PlanarAreas(size=1.0, unit="px")
    if grid.wkt is None:
        return PlanarAreas(size=planar, unit="um2")
    if not has_datum(grid.wkt):
        return PlanarAreas(size=planar * unit_size(grid.wkt) ** 2, unit="m2")
    if grid.axis_aligned and is_degrees(grid.wkt):
        return ParallelAreas(transform=grid.transform, ellipsoid=ellipsoid_of(grid.wkt), radians=unit_size(grid.wkt))
    return MapAreas(grid=grid, scale=MapScale(wkt=grid.wkt))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanarAreas:
    """Pixels of one size."""

    size: float
    unit: AreaUnit

    @property
    def method(self) -> AreaMethod:
        """``planar``."""
        return "planar"

    def row(self, row: int) -> float | None:
        """The size of every pixel."""
        return self.size

    def of(self, window: Window) -> DoubleArray:
        """(1, 1)."""
        return np.full((1, 1), self.size)

    def total(self, window: Window) -> float:
        """The size of every pixel, times their number."""
        return self.size * window.pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelAreas:
    """Pixels between parallels and meridians. Rows beyond a pole have no area."""

    transform: Transform
    ellipsoid: Ellipsoid
    radians: float
    """Of one unit of the transform."""

    @property
    def unit(self) -> AreaUnit:
        """``m2``."""
        return "m2"

    @property
    def method(self) -> AreaMethod:
        """``ellipsoidal``."""
        return "ellipsoidal"

    def row(self, row: int) -> float | None:
        """The area of each pixel of a row, m²."""
        return float(self._rows(np.array([row]))[0])

    def of(self, window: Window) -> DoubleArray:
        """(rows, 1), m²."""
        return self._rows(np.arange(window.rows.start, window.rows.stop))[:, None]

    def total(self, window: Window) -> float:
        """m²; an array of the window's rows is made."""
        return float(self.of(window).sum()) * window.width

    def _rows(self, rows: npt.NDArray[np.int64]) -> DoubleArray:
        width, _, _, _, e, f = self.transform
        pole = math.pi / 2
        middle = (f + e * (rows.astype(np.float64) + 0.5)) * self.radians
        height = np.full(len(rows), abs(e) * self.radians, dtype=np.float64)
        beyond = np.abs(middle) + height / 2 > pole
        south, north = np.clip(middle - height / 2, -pole, pole), np.clip(middle + height / 2, -pole, pole)
        # a difference of latitudes loses digits, so only pixels at a pole take it
        middle, height = np.where(beyond, (south + north) / 2, middle), np.where(beyond, north - south, height)
        areas: DoubleArray = self.ellipsoid.zone(middle, height) * abs(width) * self.radians
        return areas


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAreas:
    """Pixels of a map, by its areal scale: integrals of a polynomial over each pixel, cell by cell.

    Cells belong to the grid, so that windows do not matter. A cell in which the map is not smooth is cut in four,
    down to single pixels; a pixel whose centre has no place on earth has no area.
    """

    grid: Grid
    scale: MapScale

    @property
    def unit(self) -> AreaUnit:
        """``m2``."""
        return "m2"

    @property
    def method(self) -> AreaMethod:
        """``ellipsoidal``."""
        return "ellipsoidal"

    def row(self, row: int) -> float | None:
        """None: the areal scale differs along a row."""
        return None

    def of(self, window: Window) -> DoubleArray:
        """(rows, cols), m². Pixels outside the grid have no area."""
        areas = np.zeros((window.height, window.width))
        for part, cell, coefficients in self._parts(window):
            rows, cols = _averages(part.rows, cell.rows), _averages(part.cols, cell.cols)
            _multiply(rows @ coefficients, cols.T, out=areas[part.index_in(window)])
        areas *= abs(_determinant(self.grid.transform))
        return areas

    def total(self, window: Window) -> float:
        """m², by one sum a cell. Pixels outside the grid have no area."""
        sums = [
            _sums(part.rows, cell.rows) @ coefficients @ _sums(part.cols, cell.cols)
            for part, cell, coefficients in self._parts(window)
        ]
        return math.fsum(sums) * abs(_determinant(self.grid.transform))

    def _parts(self, window: Window) -> Iterator[tuple[Window, Window, DoubleArray]]:
        """The parts of a window in which the ground is one polynomial: part, cell and coefficients."""
        side = max(1, int(CELL * axis_in_units(self.scale.wkt) / max(self.grid.pixel_size)))
        inside = window.clip(self.grid.height, self.grid.width)
        if inside.pixels:
            for rows in _cells(inside.rows, side, self.grid.height):
                for cols in _cells(inside.cols, side, self.grid.width):
                    yield from self._smooth(inside, Window.of(rows, cols))

    def _smooth(self, window: Window, cell: Window) -> Iterator[tuple[Window, Window, DoubleArray]]:
        part = cell.intersect(window)
        if not part.pixels:
            return
        coefficients = _coefficients(self.scale, self.grid.transform, cell)
        if coefficients is not None:
            yield part, cell, coefficients
            return
        for quarter in _quarters(cell):
            yield from self._smooth(window, quarter)


def _cells(span: Span, side: int, length: int) -> Iterator[Span]:
    """The cells of an axis that a span touches."""
    for start in range(span.start // side * side, span.stop, side):
        yield Span(start, min(start + side, length))


def _quarters(cell: Window) -> Iterator[Window]:
    for rows, cols in product(_halves(cell.rows), _halves(cell.cols)):
        yield Window.of(rows, cols)


def _halves(span: Span) -> list[Span]:
    middle = span.start + span.size // 2
    return [half for half in (Span(span.start, middle), Span(middle, span.stop)) if half.size]


@functools.lru_cache(maxsize=4096)
def _coefficients(scale: MapScale, transform: Transform, cell: Window) -> DoubleArray | None:
    """(POINTS, POINTS) Legendre coefficients of the ground in a cell, m² per square unit, by rows and columns.

    None where the cell has to be cut.
    """
    ground = scale.at(*_coordinates(transform, cell, GAUSS[0]))
    if np.isfinite(ground).all():
        coefficients: DoubleArray = _to_coefficients() @ ground @ _to_coefficients().T
        highest = max(np.abs(coefficients[-1]).max(), np.abs(coefficients[:, -1]).max())
        if cell.pixels == 1 or highest <= CURVED * abs(coefficients[0, 0]):
            return coefficients
    if cell.pixels > 1:
        return None
    constant = np.zeros((POINTS, POINTS))
    constant[0, 0] = np.nan_to_num(
        scale.at(*_coordinates(transform, cell, np.zeros(1)), SMALL_DIFFERENCE_STEP), posinf=0.0
    )[0, 0]
    return constant


def _coordinates(transform: Transform, cell: Window, points: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """(points, points) x and y of points of a cell, which are given from −1 to 1 on each axis."""
    a, b, c, d, e, f = transform
    rows = (cell.row + cell.height * (points + 1) / 2)[:, None]
    cols = (cell.col + cell.width * (points + 1) / 2)[None]
    return a * cols + b * rows + c, d * cols + e * rows + f


@functools.cache
def _to_coefficients() -> DoubleArray:
    """(POINTS, POINTS) matrix from values at Gauss points to Legendre coefficients."""
    points, weights = GAUSS
    factors = (2 * np.arange(POINTS) + 1) / 2
    matrix: DoubleArray = factors[:, None] * legvander(points, POINTS - 1).T * weights
    return matrix


def _averages(part: Span, cell: Span) -> DoubleArray:
    """(pixels, POINTS) means of the Legendre polynomials of a cell's axis over each pixel of a part of it."""
    return _means(np.arange(part.start, part.stop), 1, cell)


def _multiply(rows: DoubleArray, cols: DoubleArray, out: DoubleArray) -> None:
    """(rows, POINTS) by (POINTS, cols), a few rows at a time.

    OpenBLAS gives larger products to threads of its own, which spin for a while afterwards and take cores from others:
    https://github.com/OpenMathLib/OpenBLAS/blob/develop/interface/gemm.c
    """
    step = max(1, CALLER_PRODUCTS // cols.size)
    for start in range(0, len(rows), step):
        np.matmul(rows[start : start + step], cols, out=out[start : start + step])


def _sums(part: Span, cell: Span) -> DoubleArray:
    """(POINTS,) sums of the same over all pixels of the part."""
    sums: DoubleArray = _means(np.array([part.start]), part.size, cell)[0] * part.size
    return sums


def _means(starts: npt.NDArray[np.int64], size: int, cell: Span) -> DoubleArray:
    """(starts, POINTS) means of the polynomials over spans of one size, px."""
    points, weights = MEANS
    places = starts[:, None] - cell.start + size * (points + 1) / 2
    means: DoubleArray = np.einsum("pgk,g->pk", legvander(2 * places / cell.size - 1, POINTS - 1), weights / 2)
    return means


def _determinant(transform: Transform) -> float:
    a, b, _, d, e, _ = transform
    return a * e - b * d
