"""Pixels and areas by zone and class, summed block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.geometry.ellipsoid import DoubleArray
from pipeline.store.spec import ClassRow

CODE_COUNT = 65536
"""Codes that a mask may have."""


@dataclass(frozen=True, slots=True)
class ClassSums:
    """Sums over pixels: a row for each zone, a column for each class, then one for nodata and one for the others.

    The others are pixels that the denominator leaves out.
    """

    zones: int
    classes: Sequence[ClassRow]
    pixels: DoubleArray = field(init=False)
    """(zones, classes + 2) sums of coverage."""
    areas: DoubleArray = field(init=False)
    """(zones, classes + 2) sums of coverage times area."""
    _columns: npt.NDArray[np.uint16] = field(init=False)

    def __post_init__(self) -> None:
        columns = np.full(CODE_COUNT, len(self.classes), dtype=np.uint16)
        columns[[row.code for row in self.classes]] = np.arange(len(self.classes))
        object.__setattr__(self, "_columns", columns)
        for name in ("pixels", "areas"):
            object.__setattr__(self, name, np.zeros((self.zones, len(self.classes) + 2)))

    def columns(
        self, codes: npt.NDArray[np.unsignedinteger], counted: npt.NDArray[np.bool_] | None
    ) -> npt.NDArray[np.uint16]:
        """(rows, cols) the column of each pixel.

        Parameters
        ----------
        codes
            (rows, cols) of the mask.
        counted
            (rows, cols) pixels that the denominator counts even where they are nodata; None for all.
        """
        columns: npt.NDArray[np.uint16] = self._columns[codes]
        if counted is not None:
            columns[(columns == len(self.classes)) & ~counted] = len(self.classes) + 1
        return columns

    def add(
        self, zone: int, columns: npt.NDArray[np.uint16], areas: DoubleArray, cover: DoubleArray | None = None
    ) -> None:
        """Add pixels to a zone.

        Parameters
        ----------
        zone
            Its number.
        columns
            (rows, cols) as `columns` gives them.
        areas
            Of the pixels, of a shape that broadcasts to (rows, cols).
        cover
            (rows, cols) share of each pixel that lies in the zone; None for all of each.
        """
        height, width = columns.shape
        count = len(self.classes) + 2
        weights = None if cover is None else cover.ravel()
        if areas.shape[1] == 1:
            places = columns + np.arange(height, dtype=np.int64)[:, None] * count
            rows = np.bincount(places.ravel(), weights, height * count).reshape(height, count)
            self.pixels[zone] += rows.sum(axis=0)
            self.areas[zone] += np.broadcast_to(areas[:, 0], height) @ rows
            return
        flat = columns.ravel().astype(np.intp)  # bincount would convert it each time
        sizes = np.broadcast_to(areas, (height, width)).ravel()
        self.pixels[zone] += np.bincount(flat, weights, count)
        self.areas[zone] += np.bincount(flat, sizes if weights is None else sizes * weights, count)
