"""What the pass for ``model.input.normalise`` costs beside reading the same pixels, in one run.

    python benchmarks/normalise.py [--side 8192] [--repeats 3]

Makes rasters of three bands in tiles of 512 px, compressed by deflate, in a temporary folder. Each is read by the
strips of the pass and then read and counted, in one thread; the least of the repeats counts. Prints a Markdown table.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
import torch
import typer
from rasterio.windows import Window

from pipeline.config import SourceConfig
from pipeline.sources import open_source
from pipeline.statistics.band_statistics import Measure, measure_bands
from pipeline.statistics.cell_task import CellPixels
from pipeline.statistics.cells import CellLattice
from pipeline.statistics.counting import Counting, PlaneCounts

BANDS, TILE = 3, 512
METHODS = ("percentile", "minmax", "standardise")


def main(
    side: Annotated[int, typer.Option(help="Of the rasters, px.")] = 8192,
    repeats: Annotated[int, typer.Option(help="Of each measurement.")] = 3,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for dtype in ("uint8", "uint16", "float32"):
            pixels = pixels_of(made(Path(folder) / f"{dtype}.tif", side, dtype))
            reading = least(lambda pixels=pixels: read(pixels), repeats)
            for method in METHODS:
                measure = Measure(method=method, bands=BANDS, dtype=dtype, percents=(2.0, 98.0))
                counting = least(lambda pixels=pixels, measure=measure: counted(pixels, measure), repeats)
                rows.append((dtype, method, measure.passes, reading, counting, counting / reading))
    print("| dtype | method | passes | reading alone, s | the pass, s | times reading |\n|---|---|---|---|---|---|")
    for dtype, method, passes, reading, counting, ratio in rows:
        print(f"| {dtype} | {method} | {passes} | {reading:.2f} | {counting:.2f} | {ratio:.2f} |")


def made(path: Path, side: int, dtype: str) -> Path:
    """A raster of smooth structure with noise, written row of tiles by row of tiles."""
    rng = np.random.default_rng(0)
    profile = {"tiled": True, "blockxsize": TILE, "blockysize": TILE, "compress": "deflate", "predictor": 2}
    if dtype == "float32":
        profile["predictor"] = 3
    with rasterio.open(path, "w", driver="GTiff", height=side, width=side, count=BANDS, dtype=dtype, **profile) as out:
        for row in range(0, side, TILE):
            rows, cols = np.mgrid[row : min(row + TILE, side), :side]
            waves = 120 + 60 * np.sin(rows / 90) * np.cos(cols / 130) + rng.normal(0, 8, (BANDS, *rows.shape))
            scale = 1 if dtype == "uint8" else 40
            out.write((waves * scale).clip(0, 255 * scale).astype(dtype), window=Window(0, row, side, rows.shape[0]))
    return path


def pixels_of(path: Path) -> CellPixels:
    """The cells of a raster."""
    source = open_source(SourceConfig(path=str(path)))
    size = source.bands * source.dtype.itemsize
    lattice = CellLattice.of_raster(source.grid.height, source.grid.width, source.block, size)
    return CellPixels(source=source, lattice=lattice, retries=0)


def read(pixels: CellPixels) -> None:
    """Read every strip, and do nothing with it."""
    for index in range(pixels.lattice.count):
        for strip in pixels.lattice.strips(index):
            pixels.source.read(strip)


def counted(pixels: CellPixels, measure: Measure) -> None:
    """Find the numbers of a method."""

    def count(counting: Counting) -> PlaneCounts:
        counts = counting.empty()
        for index in range(pixels.lattice.count):
            counting.merge(counts, pixels.count(index, counting))
        return counts

    measure_bands(measure, count)


def least(work: Callable[[], None], repeats: int) -> float:
    """Seconds of the quickest repeat."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    typer.run(main)
