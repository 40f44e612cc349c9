"""The statistics of a store: one row for each zone and class, by one pass over its committed blocks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import StoreError
from pipeline.geometry.areas import PixelAreas, pixel_areas
from pipeline.geometry.ellipsoid import DoubleArray
from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.objects.mask import LayerMask, MaskBlocks, store_blocks
from pipeline.quality.stats.class_sums import ClassSums
from pipeline.quality.stats.denominator import require_tissue
from pipeline.quality.stats.rows import Denominator, StatsRow, stats_rows
from pipeline.store.reader import StoreLevel

if TYPE_CHECKING:
    from pipeline.quality.evaluate.aoi_labels import StoreArea
    from pipeline.quality.stats.zones import Zones

NOISE = 1e-9
"""Share of a zone below which what is left of it is rounding."""


def store_stats(
    store: StoreLevel,
    zones: Zones | None = None,
    of: Denominator = "valid",
    objects: bool = False,
    aoi: str | None = None,
) -> list[StatsRow]:
    """Pixels and areas of each class.

    Parameters
    ----------
    store
        Its full resolution.
    zones
        Polygons on its grid; the whole scene by default.
    of
        Denominator of the shares: ``valid``, pixels with a class; ``tissue``, those of ``source.only``; ``aoi``, pixels
        that were asked for; ``raster``, all pixels. All but the first have a row for nodata: shares add up to 1.
    objects
        Count connected components as well; each counts in the zones of its first pixel.

    Returns
    -------
    list[StatsRow]
        By zone, in the order of its file, then by class.

    Raises
    ------
    StoreError
        The store is unfinished, has no tissue, or its area of interest is gone or has changed.
    InputError
        The zones cannot be read, or the CRS is not known.
    """
    _check_finished(store)
    blocks, areas = store_blocks(store, LayerMask.of_level(store)), pixel_areas(store.grid)
    asked = None
    if of == "tissue":
        require_tissue(store)
    if of in ("aoi", "tissue"):
        # it reads polygons, and a store is counted without
        from pipeline.quality.evaluate.aoi_labels import store_area

        asked = store_area(store, "count what was asked for", aoi)
    sums = ClassSums(len(zones.names) if zones else 1, store.classes)
    _count(sums, blocks, areas, zones, asked)
    if areas.method == "planar":  # one product, whatever the blocks
        sums.areas[:] = sums.pixels * areas.total(Window(row=0, col=0, height=1, width=1))
    if of == "raster" and store.requested_blocks is not None:
        _add_unwritten(sums, store, areas, zones)
    counts = None
    if objects:
        from pipeline.quality.stats.objects import count_objects

        with tempfile.TemporaryDirectory() as folder:
            counts = count_objects(blocks, Path(folder) / "objects", store.classes, zones)
    return stats_rows(store, sums, zones.names if zones else None, of, areas.unit, counts)


def _check_finished(store: StoreLevel) -> None:
    committed = store.committed_blocks()
    if committed < store.blocks:
        raise StoreError(
            f"{store.path} is unfinished: {committed} of {store.blocks} blocks are committed, so that its classes "
            f"cannot be counted. Run the job again, which does what is missing; wholecloth status tells how far it is."
        )


def _count(
    sums: ClassSums, blocks: MaskBlocks, areas: PixelAreas, zones: Zones | None, asked: StoreArea | None
) -> None:
    for run in _runs(blocks):
        near = zones.near(_around(run)) if zones else None
        for window in run:
            places = None if near is None else near.touching(window)
            if places is not None and not len(places):
                continue
            columns = sums.columns(blocks.mask.read(window), None if asked is None else asked.read(window))
            sizes = areas.of(window)
            if near is None or places is None:
                sums.add(0, columns, sizes)
                continue
            for number, part, cover in near.covers(places, window):
                index = part.index_in(window)
                sums.add(number, columns[index], _broadcastable(sizes, index), cover)


def _broadcastable(sizes: DoubleArray, index: tuple[slice, slice]) -> DoubleArray:
    """A part of areas that may be one row, or one column, for all."""
    rows, cols = (part if length > 1 else slice(None) for part, length in zip(index, sizes.shape, strict=True))
    return sizes[rows, cols]


def _runs(blocks: MaskBlocks) -> Iterator[list[Window]]:
    """Blocks side by side, so that zones near them are read once."""
    for row, cols in blocks.rows():
        for run in np.split(np.array(cols), np.flatnonzero(np.diff(cols) > 1) + 1):
            yield [blocks.window((row, col)) for col in run.tolist()]


def _around(run: list[Window]) -> Window:
    return Window.of(run[0].rows, Span(run[0].cols.start, run[-1].cols.stop))


def _add_unwritten(sums: ClassSums, store: StoreLevel, areas: PixelAreas, zones: Zones | None) -> None:
    """Count as nodata what no block covers: the rest of the raster, and of each zone in it."""
    whole = Window(row=0, col=0, height=store.height, width=store.width)
    if zones is None:
        grounds: Iterator[tuple[int, tuple[float, float]]] = iter([(0, (float(whole.pixels), areas.total(whole)))])
    else:
        from pipeline.quality.stats.ground import ground_under

        grounds = ((number, ground_under(shape, whole, areas)) for number, shape in zones.one_by_one())
    noise, nodata = 0.0 if zones is None else NOISE, len(store.classes)
    for number, (pixels, area) in grounds:
        unwritten = pixels - sums.pixels[number].sum()
        if unwritten > noise * pixels:
            sums.pixels[number, nodata] += unwritten
            sums.areas[number, nodata] += max(area - sums.areas[number].sum(), 0.0)
