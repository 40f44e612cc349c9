"""What a mosaic of very many pieces costs before the first block: CPU seconds and memory, with and without an index.

    python benchmarks/pieces.py [--pieces 10000] [--side 64]

Writes pieces of four bands of uint16 into a temporary folder, and puts them together three times, each time in a
process of its own: without an index, with it, and where one piece was written anew. A last process puts a single piece
together, which the others are compared with. Prints a Markdown table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
import typer
from rasterio.transform import from_origin

PIXEL_M = 10
ROW_PIECES = 100
"""Pieces beside each other."""


def main(pieces: int = 10_000, side: Annotated[int, typer.Option(help="Of a piece, px.")] = 64) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pieces"
        folder.mkdir()
        for k in range(pieces):
            write(folder / f"piece{k:06}.tif", k, side)
        one = Path(scratch) / "one"
        one.mkdir()
        write(one / "piece.tif", 0, side)
        rows = [("one piece", measured(one, Path(scratch)))]
        rows += [(name, measured(folder, Path(scratch))) for name in ("no index", "index")]
        write(folder / "piece000000.tif", 0, side)
        rows.append(("index, one piece written anew", measured(folder, Path(scratch))))
    print(f"{pieces:,} pieces of {side} × {side} px, {os.cpu_count()} cores\n")
    print("| | CPU, s | wall, s | peak beyond one piece, MiB |\n|---|--:|--:|--:|")
    for name, (cpu, wall, peak) in rows:
        print(f"| {name} | {cpu:.1f} | {wall:.1f} | {(peak - rows[0][1][2]) / 2**20:.0f} |")


def write(path: Path, k: int, side: int) -> None:
    """One piece of a lattice, in its place."""
    row, col = divmod(k, ROW_PIECES)
    corner = 500_000 + PIXEL_M * side * col, 9_000_000 - PIXEL_M * side * row
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=side,
        width=side,
        count=4,
        dtype="uint16",
        nodata=0,
        crs="EPSG:32633",
        transform=from_origin(*corner, PIXEL_M, PIXEL_M),
    ) as dataset:
        dataset.write(np.full((4, side, side), 1 + k % 60_000, "uint16"))


def measured(folder: Path, scratch: Path) -> tuple[float, float, int]:
    """CPU and wall seconds, and the peak of memory, of a process that puts a mosaic together and reads one window."""
    command = [sys.executable, __file__, "--one", str(folder)]
    environment = {**os.environ, "WHOLECLOTH_CACHE": str(scratch / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    cpu, wall, peak = json.loads(done.stdout)
    return cpu, wall, peak


def put_together(folder: str) -> None:
    """Measure one mosaic in this process, beside its imports."""
    from pipeline.config import SourceConfig
    from pipeline.geometry.window import Window
    from pipeline.runtime.resources import peak_resident
    from pipeline.sources import open_source

    cpu, wall = time.process_time(), time.monotonic()
    source = open_source(SourceConfig(kind="mosaic", path=folder))
    source.identity()
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    source.read(Window(row=0, col=0, height=512, width=512))
    print(json.dumps([cpu, wall, peak_resident()]))


if __name__ == "__main__":
    put_together(sys.argv[2]) if sys.argv[1:2] == ["--one"] else typer.run(main)
