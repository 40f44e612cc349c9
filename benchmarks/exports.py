"""What `export` costs for a whole mask, form by form, beside rasterio and GDAL, and for a hundred blocks anywhere.

    python -m benchmarks.exports OUT [--size 32768] [--memory 8] [--seconds 1800] [--side 1000000] [--small]

Each way is a process of its own, one after the other. Beside it stand `rasterio.features.shapes` over the whole mask
with pyogrio, and `gdal_polygonize.py` of the machine, both over the GeoTIFF that `--to cog` wrote. One that takes more
memory (GiB) or seconds than it may is killed. The numbers of polygons must agree. Prints Markdown.
"""

from __future__ import annotations

import platform
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.exporting.processes import Cost, run
from benchmarks.scaling import table

FORMS = {
    "cog": ".tif",
    "png": ".png",
    "ome-tiff": ".ome.tif",
    "gpkg": ".gpkg",
    "geoparquet": ".parquet",
    "flatgeobuf": ".fgb",
    "geojson": ".geojson",
    "qupath": ".qupath.geojson",
}
"""Forms of export, and how their files end."""
RASTERIO, GDAL = "rasterio.features.shapes, pyogrio", "gdal_polygonize.py"
BLOCKS = 100
"""Written anywhere in the large raster."""


def main(
    out: Path,
    size: Annotated[int, typer.Option(help="Side of the mask, px; 0 for none.")] = 32768,
    memory: Annotated[float, typer.Option(help="What each process may take, GiB.")] = 8,
    seconds: Annotated[float, typer.Option(help="What each process may take.")] = 1800,
    side: Annotated[int, typer.Option(help="Side of the raster of few blocks, px; 0 for none.")] = 1_000_000,
    small: Annotated[bool, typer.Option("--small", help="See that it works; the figures say nothing.")] = False,
) -> None:
    """Measure and print."""
    out.mkdir(parents=True, exist_ok=True)
    size, side = (1024, 20_000) if small else (size, side)
    limits = int(memory * 2**30), seconds
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}.")
    if size:
        print(f"\n{whole(out, size, limits)}")
    if side:
        print(f"\n{few_blocks(out, side, limits)}")


def whole(out: Path, size: int, limits: tuple[int, float]) -> str:
    """All forms of a mask of ``size``² px, and other people's ways."""
    store = out / f"{size}.zarr"
    if not store.exists():
        _make(store, size)
    files = {form: out / f"{size}{ending}" for form, ending in FORMS.items()}
    commands = {f"--to {form}": _export(store, form, file) for form, file in files.items()}
    files |= {RASTERIO: out / f"{size}.rasterio.gpkg", GDAL: out / f"{size}.gdal.gpkg"}
    peer = [sys.executable, "-m", "benchmarks.exporting.peers"]
    commands[RASTERIO] = [*peer, str(files["cog"]), str(files[RASTERIO])]
    if polygonize := shutil.which(GDAL):
        polygons = ["-f", "GPKG", str(files[GDAL]), "objects", "code"]
        commands[GDAL] = [polygonize, "-q", str(files["cog"]), *polygons]
    costs = {}
    for (way, command), file in zip(commands.items(), files.values(), strict=False):
        file.unlink(missing_ok=True)
        costs[way] = run(command, *limits)
    counts = {way: polygons_in(file) for way, file in zip(costs, files.values(), strict=False) if not costs[way].fault}
    if len(set(counts.values()) - {None}) > 1:
        raise RuntimeError(f"Numbers of polygons differ: {counts}.")
    rows = [_row(way, cost, costs[RASTERIO], counts.get(way)) for way, cost in costs.items()]
    if GDAL not in costs:
        rows.append([f"{GDAL}: not installed", *[""] * 6])
    head = [f"{size}² px", "s", "CPU s", "peak, MiB", "polygons", "s ÷ rasterio's", "peak ÷ rasterio's"]
    return table(head, rows)


def few_blocks(out: Path, side: int, limits: tuple[int, float]) -> str:
    """Finishing, and forms of rasters, of a hundred blocks anywhere in ``side``² px."""
    store = out / f"few{side}.zarr"
    shutil.rmtree(store, ignore_errors=True)
    _make(store, side, BLOCKS)
    commands = {
        "finish": [sys.executable, "-m", "pipeline", "finish", str(store)],
        "--to cog": _export(store, "cog", out / f"few{side}.tif"),
        "--to png --max-side 2048": [*_export(store, "png", out / f"few{side}.png"), "--max-side", "2048"],
        "--to gpkg": _export(store, "gpkg", out / f"few{side}.gpkg"),
    }
    costs = {way: run(command, *limits) for way, command in commands.items()}
    return table(
        [f"{BLOCKS} blocks in {side:,}² px", "s", "CPU s", "peak, MiB"],
        [_row(way, cost, cost, None)[:4] for way, cost in costs.items()],
    )


def polygons_in(file: Path) -> int | None:
    """How many polygons a file has; None for a raster."""
    if file.suffix == ".gpkg":
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as layers:
            return int(layers.execute("SELECT count(*) FROM objects").fetchone()[0])
    if file.suffix == ".geojson":
        with file.open(encoding="utf-8") as lines:
            return sum(line.startswith('{"type":"Feature",') for line in lines)
    if file.suffix == ".parquet":
        import pyarrow.parquet

        return int(pyarrow.parquet.read_metadata(file).num_rows)
    if file.suffix == ".fgb":
        import pyogrio

        return int(pyogrio.read_info(file)["features"])
    return None


def _make(store: Path, side: int, *blocks: int) -> None:
    """Write a store, in a process of its own."""
    subprocess.run(
        [sys.executable, "-m", "benchmarks.exporting.stores", str(store), str(side), *map(str, blocks)], check=True
    )


def _export(store: Path, form: str, file: Path) -> list[str]:
    return [sys.executable, "-m", "pipeline", "export", str(store), "--to", form, "--out", str(file), "--overwrite"]


def _row(way: str, cost: Cost, beside: Cost, polygons: int | None) -> list[str]:
    if cost.fault:
        figures = [f"({value:,.0f})" for value in (cost.wall, cost.cpu, cost.peak / 2**20)]
        return [f"{way}: {cost.fault}", *figures, "", "", ""]
    ratios = ["", ""] if beside.fault else [f"{cost.wall / beside.wall:.2f}", f"{cost.peak / beside.peak:.2f}"]
    count = "" if polygons is None else f"{polygons:,}"
    return [way, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.peak / 2**20:,.0f}", count, *ratios]


if __name__ == "__main__":
    typer.run(main)
