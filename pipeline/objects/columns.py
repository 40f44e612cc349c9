"""What is known of components, as columns: what is measured, and how parts of one component are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry.window import Window

Int64s = npt.NDArray[np.int64]
Columns = dict[str, Int64s]
"""Columns of one length, by name: a row is a component, or the part of one that lies in a block."""

COMBINE: dict[str, Any] = {
    "first": np.minimum,
    "code": np.maximum,
    "pixels": np.add,
    "row_min": np.minimum,
    "row_max": np.maximum,
    "col_min": np.minimum,
    "col_max": np.maximum,
    "row_sum": np.add,
    "col_sum": np.add,
    "area_high": np.add,
    "area_low": np.add,
    "confidence": np.add,
    "row_edges": np.add,
    "col_edges": np.add,
    "length_high": np.add,
    "length_low": np.add,
    "nodata_edges": np.add,
    "outside_edges": np.add,
}
"""Every column and how parts are combined. All are integers, so that sums do not depend on blocks or their order.

``first`` is the row-major index of the first pixel in the whole mask. ``row_sum`` and ``col_sum`` add 2·index + 1 of
each pixel, twice the place of its centre. ``confidence`` adds the bytes of its layer. ``row_edges`` and ``col_edges``
count pixel edges of the boundary that lie along a row and along a column; ``nodata_edges`` and ``outside_edges`` count
those of them where nodata or the raster's edge is on the other side. Columns in ``_high`` and ``_low`` are sums of
`FixedPoint`.
"""

AREA_COLUMNS = ("area_high", "area_low")
BORDER_COLUMNS = ("row_edges", "col_edges", "nodata_edges", "outside_edges")
LENGTH_COLUMNS = ("length_high", "length_low")

AreaOf = Callable[[Window], Any]
"""Pixels of a window → their areas as float64: a scalar, (rows, 1) or (rows, cols)."""
ConfidenceOf = Callable[[Window], npt.NDArray[np.uint8]]
"""Pixels of a window → (rows, cols) bytes, 255 = 1."""

_LIMB = 20
"""Bits of the lower part of a fixed-point number."""
_PRECISION = 40
"""Bits below the typical value."""


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """Numbers near a typical one as whole multiples of a power of two: sums are exact, whatever their order.

    A single number is rounded to 2⁻⁴¹ of the typical one; it may be up to 2¹⁰ times as large.
    """

    unit: float

    @classmethod
    def near(cls, typical: float) -> FixedPoint:
        """The multiples that suit numbers of about this size."""
        return cls(float(np.exp2(np.floor(np.log2(typical)) - _PRECISION)))

    def split(self, values: npt.ArrayLike) -> tuple[Int64s, Int64s]:
        """Numbers as (high, low) integers."""
        whole = np.rint(np.asarray(values, dtype=np.float64) / self.unit).astype(np.int64)
        return whole >> _LIMB, whole & ((1 << _LIMB) - 1)

    def join(self, high: Int64s, low: Int64s) -> npt.NDArray[np.float64]:
        """Sums of such integers as numbers."""
        carried = high + (low >> _LIMB)
        rest = low & ((1 << _LIMB) - 1)
        return np.asarray((carried * float(1 << _LIMB) + rest) * self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What is measured of each component beside id, class, pixels, bounding box and centroid."""

    area_of: AreaOf | None = None
    """Areas of pixels, for the component's area."""
    confidence_of: ConfidenceOf | None = None
    """The confidence layer, for its mean."""
    borders: bool = False
    """Edges of the boundary, and those to nodata and to the raster's edge."""
    neighbours: bool = False
    """Edges that each two components share; asks for ``borders`` too."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that come of it."""
        absent = {"length_high", "length_low"}
        if self.area_of is None:
            absent.update(AREA_COLUMNS)
        if self.confidence_of is None:
            absent.add("confidence")
        if not (self.borders or self.neighbours):
            absent.update(BORDER_COLUMNS)
        return tuple(name for name in COMBINE if name not in absent)


def combine(columns: Columns, groups: npt.NDArray[Any], count: int) -> Columns:
    """Rows of one group as one row.

    Parameters
    ----------
    columns
        Columns of n rows.
    groups
        (n,) the group of each row, 0 to ``count`` − 1; none is empty.
    count
        Groups.
    """
    return {name: _combined(COMBINE[name], values, groups, count) for name, values in columns.items()}


def _combined(operation: Any, values: Int64s, groups: npt.NDArray[Any], count: int) -> Int64s:
    limits = np.iinfo(np.int64)
    start = {np.minimum: limits.max, np.maximum: limits.min}.get(operation, 0)
    result = np.full(count, start, dtype=np.int64)
    operation.at(result, groups, values)
    return result


def concatenate(parts: Sequence[Columns], names: Iterable[str]) -> Columns:
    """Columns one below the other; columns without rows where there is no part."""
    empty = np.zeros(0, dtype=np.int64)
    return {name: np.concatenate([empty, *(part[name] for part in parts)]) for name in names}


def pick_rows(columns: Columns, rows: npt.NDArray[Any]) -> Columns:
    """Some rows of columns, by index or by mask."""
    return {name: values[rows] for name, values in columns.items()}
