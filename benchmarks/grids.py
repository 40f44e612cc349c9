"""What reading on another grid costs beside plain reading, and whether its windows are those of the whole.

    python -m benchmarks.grids cost [--size 4096]
    python -m benchmarks.grids files FOLDER

`cost` reads all blocks of a raster of noise, plainly and on a grid of a neighbouring zone by each resampling, in CPU
seconds of one process. `files` reads every raster of a folder on a Mercator grid by windows, and compares these with
the whole. Where GDAL places the raster by a transform, the whole is compared with what GDAL warps in one piece with the
same options. Both print Markdown; `files` exits 1 where a pixel differs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
import typer
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine, from_origin
from rasterio.vrt import WarpedVRT

from benchmarks.odd_files import SKIPPED
from benchmarks.scaling import table
from pipeline.config import SourceConfig
from pipeline.config.grids import GridConfig
from pipeline.errors import PipelineError
from pipeline.geometry.window import Window
from pipeline.interfaces import Pixels, Source
from pipeline.sources import open_source
from pipeline.sources.regrid.regridded import Regridded
from pipeline.sources.regrid.warp_vrt import RESAMPLING

app = typer.Typer(add_completion=False, help=__doc__)
BLOCK = 512
SIDE = 97
"""Of the windows that `files` compares, px: no divisor of the units in which the grid is warped."""
MERCATOR = "EPSG:3857"
LARGEST_PX = 2_000_000
"""Of a grid that `files` reads."""
ROUNDING = 1e-6
"""Of the largest number of floats; of integers it is 1, since sums may lie half way between two."""
SMALLEST_TOLERANCE = 1e-45
"""Of GDAL's approximate transformer, px: the smallest number above 0 that rasterio takes."""


@app.command()
def cost(size: Annotated[int, typer.Option(help="Side of the raster, px.")] = 4096) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        path = str(_noise(Path(scratch) / "noise.tif", size))
        grids = {
            "as fine": GridConfig(crs="EPSG:32632", resolution=10),
            "three times coarser": GridConfig(crs="EPSG:32632", resolution=30),
        }
        plain = _cpu_seconds(open_source(SourceConfig(path=path)))
        rows = [["plain", "as it is", f"{plain:.2f}", "1"]]
        for resampling in RESAMPLING:
            for name, grid in grids.items():
                source = open_source(SourceConfig(path=path, grid=grid, resampling=resampling))
                seconds = _cpu_seconds(source)
                rows.append([resampling, name, f"{seconds:.2f}", f"{seconds / plain:.1f}"])
    print(table(["resampling", "grid", "CPU seconds", "of plain reading"], rows))


@app.command()
def files(folder: Path) -> None:
    """Compare and print."""
    rows, wrong = [], 0
    for path in sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix not in SKIPPED):
        outcome, right = _compared(path)
        rows.append([f"`{path.relative_to(folder)}`", outcome])
        wrong += not right
    print(table(["file", "outcome"], rows))
    sys.exit(int(wrong > 0))


def _noise(path: Path, size: int) -> Path:
    values = np.random.default_rng(0).integers(1, 10_000, (4, size, size), dtype=np.uint16)
    profile = {"height": size, "width": size, "count": 4, "dtype": "uint16", "crs": "EPSG:32633"}
    tiles = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "predictor": 2}
    transform = from_origin(500_000, 5_000_000, 10, 10)
    with rasterio.open(path, "w", driver="GTiff", transform=transform, **profile, **tiles) as dataset:
        dataset.write(values)
    return path


def _cpu_seconds(source: Source) -> float:
    """That all blocks of a source take, once it has been opened and read a little."""
    source.read(Window(row=0, col=0, height=1, width=1))
    start = time.process_time()
    for window in _blocks(source, BLOCK):
        source.read(window)
    return time.process_time() - start


def _blocks(source: Source, side: int) -> list[Window]:
    grid = source.grid
    return [
        Window(row=row, col=col, height=side, width=side).clip(grid.height, grid.width)
        for row in range(0, grid.height, side)
        for col in range(0, grid.width, side)
    ]


def _compared(path: Path) -> tuple[str, bool]:
    """What came of a raster, and whether that is right."""
    try:
        source = _on_mercator(path)
        grid = source.grid
        whole = source.read(Window(row=0, col=0, height=grid.height, width=grid.width))
        differing = sum(_differing(source, whole, window) for window in _blocks(source, SIDE))
    except PipelineError as error:
        return f"exit {error.exit_code}: {str(error).replace(str(path), path.name)}", True
    others, rounded = _differing_from_gdal(path, source, whole)
    words = [f"{grid.height} × {grid.width} px, {whole.valid.mean():.0%} valid"]
    words.append("windows equal the whole" if not differing else f"windows differ in {differing} px")
    if others:
        words.append(f"GDAL's whole differs in {others} px")
    elif rounded is not None:
        words.append(f"GDAL's whole differs by rounding in {rounded} px" if rounded else "so does GDAL's whole")
    return "; ".join(words), not differing and not others


def _on_mercator(path: Path) -> Regridded:
    """A raster on a Mercator grid of its own resolution, or of a coarser one that gives no more than `LARGEST_PX`."""
    source = open_source(SourceConfig(path=str(path), grid=GridConfig(crs=MERCATOR)))
    pixels = source.grid.height * source.grid.width
    if pixels > LARGEST_PX:
        resolution = source.grid.pixel_size[0] * (pixels / LARGEST_PX) ** 0.5
        source = open_source(SourceConfig(path=str(path), grid=GridConfig(crs=MERCATOR, resolution=resolution)))
    assert isinstance(source, Regridded)
    return source


def _differing(source: Source, whole: Pixels, window: Window) -> int:
    """Pixels of a window that are not those of the whole."""
    pixels, (rows, cols) = source.read(window), window.slices
    values = (pixels.data != whole.data[:, rows, cols]).any(axis=0) & pixels.valid
    return int((values | (pixels.valid != whole.valid[rows, cols])).sum())


def _differing_from_gdal(path: Path, source: Regridded, whole: Pixels) -> tuple[int, int | None]:
    """Valid pixels in which the whole is not what GDAL warps in one piece: by more than rounding, and by rounding.

    The second is None where the raster is not read as it is, so that nothing is compared.
    """
    with rasterio.open(path) as dataset:
        same = (len(dataset.dtypes), set(dataset.dtypes)) == (source.bands, {source.dtype.name})
        if dataset.crs is None or dataset.gcps[0] or dataset.rpcs or not same or source.source.notes:
            return 0, None
        with WarpedVRT(
            dataset,
            crs=CRS.from_wkt(str(source.grid.wkt)),
            transform=Affine(*source.grid.transform),
            height=source.grid.height,
            width=source.grid.width,
            resampling=Resampling[source.resampling],
            tolerance=SMALLEST_TOLERANCE,
            src_nodata=None,  # with one, GDAL moves results that equal it, and sums in another order
            nodata=None,
            add_alpha=True,
            XSCALE=source.scale[0],
            YSCALE=source.scale[1],
        ) as warped:
            change = np.abs(warped.read()[: source.bands].astype(float) - whole.data).max(axis=0)[whole.valid]
    step = 1.0 if source.dtype.kind in "iu" else ROUNDING * float(np.abs(whole.data[:, whole.valid]).max(initial=0))
    return int((change > step).sum()), int(((change > 0) & (change <= step)).sum())


if __name__ == "__main__":
    app()
