"""Areas of classes, and how sure the network was of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.locations import Place, Remote
from pipeline.quality.stats.stats import store_stats
from pipeline.store.lifecycle import open_layer
from pipeline.store.reader import open_store
from pipeline.store.spec import StoreSpec

MAX_COUNTED = 2**30
"""Pixels of a mask that are counted; of a larger one, those of an overview are."""
MAX_COUNTED_REMOTE = 2**24
"""The same on object storage."""
BINS = 32
"""Bars of a histogram."""
SAMPLED = 2**24
"""Pixels of the confidence that are looked at, about."""
_UNITS = {
    "m2": ((1e6, "km²"), (1e4, "ha"), (0.0, "m²")),
    "um2": ((1e6, "mm²"), (0.0, "µm²")),
    "px": ((0.0, "px"),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassBar:
    """A class in the legend."""

    name: str
    color: str
    pixels: int
    area: str
    """With its unit."""
    share: float
    """Of the pixels with a class, from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAreas:
    """All of them, and what the shares are of."""

    bars: Sequence[ClassBar]
    pixels: int
    """With a class."""
    area: str
    """Of these."""
    level: int
    """Where they were counted: 0, or an overview."""


def class_areas(store: Place, spec: StoreSpec) -> ClassAreas | None:
    """Pixels and areas of the classes of a complete store; None where it has no classes."""
    if not spec.classes:
        return None
    bound = MAX_COUNTED_REMOTE if isinstance(store, Remote) else MAX_COUNTED
    sizes = [spec.grid.level(k).height * spec.grid.level(k).width for k in range(spec.levels)]
    level = next((k for k, size in enumerate(sizes) if size <= bound), None)
    if level is None:
        return None
    rows = store_stats(open_store(store, level, "cleaned" if "cleaned" in spec.layers else "mask"))
    colors = {row.code: row.color for row in spec.classes}
    bars = [
        ClassBar(
            name=row.class_name,
            color=colors[row.code],
            pixels=int(row.pixels) * 4**level,
            area=area_text(row.area, row.unit),
            share=row.share or 0.0,
        )
        for row in rows
    ]
    total = area_text(sum(row.area for row in rows), rows[0].unit)
    return ClassAreas(bars=bars, pixels=sum(bar.pixels for bar in bars), area=total, level=level)


def area_text(area: float, unit: str) -> str:
    """An area in a unit that suits its size."""
    divisor, name = next((divisor or 1.0, name) for divisor, name in _UNITS[unit] if area >= divisor)
    number = area / divisor
    return f"{number:,.0f} {name}" if number >= 1000 else f"{number:.3g} {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How often the network was how sure."""

    counts: Sequence[int]
    """Of bins of equal width from 0 to 1."""
    pixels: int
    """That were looked at."""
    median: float


def confidence_histogram(store: Place, spec: StoreSpec) -> Histogram | None:
    """The confidence of pixels in chunks that lie evenly over the raster; None where the store has no such layer."""
    if "confidence" not in spec.layers:
        return None
    array, counts = open_layer(store, 0, "confidence"), np.zeros(256, np.int64)
    rows, cols = (-(-length // spec.chunk) for length in (spec.grid.height, spec.grid.width))
    step = max(1, -(-rows * cols * spec.chunk**2 // SAMPLED))
    for number in range(0, rows * cols, step):
        row, col = (place * spec.chunk for place in divmod(number, cols))
        chunk = np.asarray(array[row : row + spec.chunk, col : col + spec.chunk])
        counts += np.bincount(chunk.ravel(), minlength=256)
    counts[0] = 0  # invalid
    total = int(counts.sum())
    if not total:
        return None
    median = float(np.searchsorted(np.cumsum(counts), total / 2)) / 255
    return Histogram(counts=counts.reshape(BINS, -1).sum(axis=1).tolist(), pixels=total, median=median)
