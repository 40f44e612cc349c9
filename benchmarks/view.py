"""How long a tile of the page of a store takes: `python -m benchmarks.view FOLDER [--side 100000] [--requests 100]`.

A store and rasters of noise are made in the folder, which needs 1 GB. Large ones are made of 64 different chunks
or tiles, or 1,024 strips: files of a store are links to them, and a TIFF says 10⁵ times that its tiles lie there. Each
has the size, the entropy and the way to its pixels of a file that was written in full.

`wholecloth view` then serves each of them, and random tiles of random levels are asked for, one after the other. What
the system keeps of the files is dropped before each request.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.view_files import linked_store, plain_jp2, shared_tiff
from pipeline.geometry.grid import Grid
from pipeline.viewer.tile_grid import TILE_PX, tile_levels

JP2_SIDE = 8192
"""Of the JPEG 2000, px: encoding noise takes half a minute already."""
STRIPED_LEVELS = 2
"""Levels at which 256 rows of tiles of a striped file of 10⁵ columns are within what a tile reads."""
REMOTE_SIDE = 8192
"""Of the store on object storage, px: each of its files is a request."""


@contextmanager
def serving(store: str, *words: str) -> Iterator[tuple[urllib.request.OpenerDirector, str]]:
    """The command on a store: what opens its addresses, and their beginning."""
    command = [sys.executable, "-W", "ignore", "-m", "pipeline", "view", store, "--no-browser", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        opener.open(link).close()
        try:
            yield opener, link.partition("/?")[0]
        finally:
            server.send_signal(signal.SIGINT)


def measure(
    store: str, grid: Grid, layer: str, requests: int, files: list[Path], *words: str, levels: int | None = None
) -> np.ndarray:
    """(requests,) milliseconds of random tiles of the finest levels, or of all; one before them is not counted."""
    rng, milliseconds = random.Random(0), []
    with serving(store, *words) as (opener, home):
        for _ in range(requests + 1):
            level = rng.randrange(min(levels or tile_levels(grid), tile_levels(grid)))
            size = grid.level(level)
            row, col = (rng.randrange(-(-length // TILE_PX)) for length in (size.height, size.width))
            query = "bands=0" if layer == "image" else ""
            drop(files)
            start = time.perf_counter()
            opener.open(f"{home}/tiles/{layer}/{level}/{row}/{col}.png?{query}").read()
            milliseconds.append(1000 * (time.perf_counter() - start))
    return np.array(milliseconds[1:])


def drop(files: list[Path]) -> None:
    """Have the system forget what it keeps of some files."""
    for file in files:
        handle = os.open(file, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def line(name: str, size: str, milliseconds: np.ndarray) -> str:
    """A row of the table."""
    return f"| {name} | {size} | {np.median(milliseconds):.0f} | {np.percentile(milliseconds, 95):.0f} |"


def local_rows(folder: Path, side: int, requests: int) -> Iterator[str]:
    """Rows of what lies on disk."""
    sources = {
        "COG": shared_tiff(folder / "cog.tif", side, tile=512),
        "striped TIFF, two finest levels": shared_tiff(folder / "striped.tif", side, tile=None),
        "JPEG 2000": plain_jp2(folder / "noise.jp2", min(side, JP2_SIDE)),
    }
    for name, raster in sources.items():
        grid = Grid(height=(length := min(side, JP2_SIDE) if name == "JPEG 2000" else side), width=length)
        store, chunks = linked_store(folder / f"{raster.stem}.zarr", grid, raster)
        if name == "COG":
            yield line("mask", _size(grid), measure(str(store), grid, "mask", requests, chunks))
        # of coarser levels a tile would read more strips than a tile may
        levels = STRIPED_LEVELS if "striped" in name else None
        times = measure(str(store), grid, "image", requests, [raster], "--source", levels=levels)
        yield line(f"image, {name}", _size(grid), times)


def remote_rows(folder: Path, side: int, requests: int) -> Iterator[str]:
    """Rows of a store on object storage, on the loopback."""
    from tests import storage

    grid = Grid(height=side, width=side)
    (folder / "s3").mkdir()
    with storage.served(folder / "s3") as server:
        os.environ.update(server.environment())
        url = f"s3://{storage.BUCKET}/noise.zarr"
        store, _ = linked_store(folder / "remote.zarr", grid, folder / "nowhere.tif")
        _upload(store, url)
        yield line("mask on S3", _size(grid), measure(url, grid, "mask", requests, []))


def _upload(store: Path, url: str) -> None:
    from pipeline.locations import parse_place
    from pipeline.store.files import files_at

    files = files_at(parse_place(url))
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        files.put(str(path.relative_to(store)), path.read_bytes())


def _size(grid: Grid) -> str:
    return f"{grid.height:,}²"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=100_000, help="of the store and the rasters, px")
    parser.add_argument("--requests", type=int, default=100, help="of each kind of tile")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print("| tile | raster, px | median, ms | 95th percentile, ms |\n|---|---|--:|--:|")
    for row in local_rows(args.folder, args.side, args.requests):
        print(row, flush=True)
    for row in remote_rows(args.folder, min(args.side, REMOTE_SIDE), args.requests):
        print(row, flush=True)


if __name__ == "__main__":
    main()
