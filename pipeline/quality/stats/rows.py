"""Rows of statistics, one for each zone and class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from pipeline.geometry.ellipsoid import DoubleArray
from pipeline.objects.columns import Int64s
from pipeline.quality.stats.class_sums import ClassSums
from pipeline.store.reader import StoreLevel

Denominator = Literal["valid", "tissue", "aoi", "raster"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsRow:
    """One row: a zone and a class, or its nodata."""

    scene: str
    """Name of the store, without its ending."""
    zone: str | None
    """None without zones."""
    class_name: str
    """``nodata`` for pixels without a class."""
    code: int
    pixels: int | float
    """Number of pixels; with zones, the sum of the shares of them that lie in the zone."""
    area: float
    unit: str
    """``m2``, ``um2`` or ``px``, or another that was asked for."""
    share: float | None
    """Of the pixels of the denominator; None where it has none."""
    of: Denominator
    objects: int | None = None
    """None where they were not asked for."""
    density: float | None = None
    """Objects per unit of the denominator's area; None where it has none, or objects were not asked for."""


def stats_rows(
    store: StoreLevel,
    sums: ClassSums,
    zones: Sequence[str] | None,
    of: Denominator,
    unit: str,
    counts: Int64s | None,
) -> list[StatsRow]:
    """What was summed, by zone and class.

    Parameters
    ----------
    store
        For names.
    sums
        Sums by zone and class.
    zones
        Names of the zones; None for the whole scene.
    of
        Denominator: without ``valid``, a row for nodata ends each zone.
    unit
        Of areas.
    counts
        (zones, classes + 1) objects; None where they were not asked for.
    """
    names = [(row.name, row.code) for row in store.classes]
    if of != "valid":
        names.append(("nodata", int(store.nodata)))
    rows = []
    for zone, column in product(range(sums.zones), range(len(names))):
        pixels, areas = sums.pixels[zone, : len(names)], sums.areas[zone, : len(names)]
        (name, code), number = names[column], None if counts is None else int(counts[zone, column])
        rows.append(
            StatsRow(
                scene=store.path.name.removesuffix(".zarr"),
                zone=None if zones is None else zones[zone],
                class_name=name,
                code=code,
                pixels=int(pixels[column]) if zones is None else float(pixels[column]),
                area=float(areas[column]),
                unit=unit,
                share=_ratio(pixels[column], pixels),
                of=of,
                objects=number,
                density=None if number is None else _ratio(number, areas),
            )
        )
    return rows


def _ratio(part: float, parts: DoubleArray) -> float | None:
    total = float(parts.sum())
    return float(part) / total if total else None
