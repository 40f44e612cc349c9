"""Areas of classes, and how sure the network was of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import StoreError
from pipeline.exports.vectors.forms import VECTOR_FORMS
from pipeline.locations import Place, Remote
from pipeline.quality.stats.denominator import usual_denominator
from pipeline.quality.stats.rows import StatsRow
from pipeline.quality.stats.stats import store_stats
from pipeline.store.instances import published_instances
from pipeline.store.lifecycle import open_layer, read_store_meta
from pipeline.store.reader import StoreLevel, open_store
from pipeline.store.spec import StoreSpec

MAX_COUNTED = 2**30
"""Pixels of a mask that are counted; of a larger one, those of an overview are."""
MAX_COUNTED_REMOTE = 2**24
"""The same on object storage."""
BINS = 32
"""Bars of a histogram."""
SAMPLED = 2**24
"""Pixels of the confidence that are looked at, about."""
OBJECT_FORMS = frozenset({*VECTOR_FORMS, "zarr-labels"})
"""Exports for which objects are found, so that their number is worth its time."""
_OF = {"valid": "with a class", "tissue": "of tissue"}
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
    """Of the pixels of the denominator, from 0 to 1."""
    objects: str = ""
    """How many there are, and on slides how many per mm²; empty where nothing asks for objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAreas:
    """All of them, and what the shares are of."""

    bars: Sequence[ClassBar]
    pixels: int
    """Of the denominator."""
    area: str
    """Of these."""
    of: str
    """What the denominator is."""
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
    rows = _rows(open_store(store, level, "cleaned" if "cleaned" in spec.layers else "mask"))
    colors = {row.code: row.color for row in spec.classes}
    bars = [
        ClassBar(
            name=row.class_name,
            color=colors[row.code],
            pixels=int(row.pixels) * 4**level,
            area=area_text(row.area, row.unit),
            share=row.share or 0.0,
            objects=_objects_text(row),
        )
        for row in rows
        if row.code in colors
    ]
    total, pixels = area_text(sum(row.area for row in rows), rows[0].unit), sum(int(row.pixels) for row in rows)
    return ClassAreas(bars=bars, pixels=pixels * 4**level, area=total, of=_OF[rows[0].of], level=level)


def _rows(store: StoreLevel) -> Sequence[StatsRow]:
    """Of tissue where the store tells what that is; objects are counted where the job writes some."""
    objects = store.level == 0 and _writes_objects(store)
    try:
        return store_stats(store, of=usual_denominator(store), objects=objects)
    except StoreError:  # the file of its tissue is gone
        return store_stats(store, objects=objects)


def _writes_objects(store: StoreLevel) -> bool:
    exports = read_store_meta(store.path).get("config", {}).get("output", {}).get("exports")
    forms = {entry.get("to") for entry in exports} if isinstance(exports, list) else set()
    return bool(forms & OBJECT_FORMS) or published_instances(store.path) is not None


def _objects_text(row: StatsRow) -> str:
    if row.objects is None:
        return ""
    per_mm2 = f", {row.density * 1e6:,.3g} per mm²" if row.unit == "um2" and row.density is not None else ""
    return f"{row.objects:,} objects{per_mm2}"


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
