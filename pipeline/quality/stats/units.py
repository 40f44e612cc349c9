"""Areas in another unit than that of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pipeline.errors import InputError
from pipeline.quality.stats.rows import StatsRow

StatsUnit = Literal["um2", "mm2", "m2", "ha", "km2"]
SQUARE_UM: dict[str, int] = {"um2": 1, "mm2": 10**6, "m2": 10**12, "ha": 10**16, "km2": 10**18}
"""µm² in each unit."""
SMALL_MM2 = 0.01
"""Areas below it are printed in µm²."""


def in_unit(rows: Sequence[StatsRow], unit: StatsUnit) -> list[StatsRow]:
    """Rows with areas in a unit, and densities per unit.

    Raises
    ------
    InputError
        The grid has no size of a pixel.
    """
    if any(row.unit not in SQUARE_UM for row in rows):
        raise InputError(
            f"--unit is {unit}, and the mask has neither a CRS nor a pixel size, so that its areas are counted in px. "
            f"Leave --unit out, or run the job with source.pixel_size."
        )
    return [_converted(row, unit) for row in rows]


def for_people(rows: Sequence[StatsRow]) -> list[StatsRow]:
    """Areas of slides in mm², or in µm² where they are small, and densities per mm²; others as they are."""
    if any(row.unit != "um2" for row in rows):
        return list(rows)
    large = in_unit(rows, "mm2")
    return [
        replace(row, area=small.area, unit="um2") if 0 < row.area < SMALL_MM2 else row
        for row, small in zip(large, rows, strict=True)
    ]


def _converted(row: StatsRow, unit: StatsUnit) -> StatsRow:
    have, wanted = SQUARE_UM[row.unit], SQUARE_UM[unit]
    density = None if row.density is None else row.density * wanted / have
    return replace(row, area=row.area * have / wanted, unit=unit, density=density)
