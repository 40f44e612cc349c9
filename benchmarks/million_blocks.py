"""What `status` takes of a store of very many blocks, and what listing their records on object storage takes.

``python -m benchmarks.million_blocks OUT [--side 1000] [--rounds 3] [--keep]``

A store of SIDE × SIDE blocks is made in OUT, and its commit records are written beside one another as a run leaves
them, without pixels and without making them durable: 10⁶ of them take 4 GB of small files and some minutes. Once for
half of the blocks, once for all of them with their overviews. What is counted is the user and system time of
``python -m pipeline status``; the first look of a machine that holds no folder in memory takes longer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.scaling import listing, table
from benchmarks.start import cpu_seconds
from pipeline.geometry.grid import Grid
from pipeline.store import lifecycle
from pipeline.store.ledger import Ledger
from pipeline.store.spec import OVERVIEW_BLOCK, ClassRow, StoreSpec, levels_for

BLOCK, CHUNK = 1024, 512
RECORD = json.dumps(
    {"source": "0" * 32, "chunks": {f"0/mask/c/{row}/{col}": "0" * 32 for row in range(2) for col in range(2)}}
).encode()
"""What a run records of a block of four chunks."""


def main(
    out: Path,
    side: Annotated[int, typer.Option(help="Blocks along each axis.")] = 1000,
    rounds: int = 3,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the store for another look.")] = False,
) -> None:
    """Print a table."""
    print(table(["blocks", "records", "CPU s of status", "peak MiB", "said"], measure(out / "many.zarr", side, rounds)))
    print()
    print(listing.measure(side))
    if not keep:
        shutil.rmtree(out / "many.zarr")


def measure(path: Path, side: int, rounds: int) -> list[list[str]]:
    """A row for half of the blocks, and one for all of them with their overviews."""
    shutil.rmtree(path, ignore_errors=True)
    spec = make_store(path, side)
    rows = []
    written = write_records(path, 0, range(side // 2), side)
    rows.append(_row(path, side, written, rounds))
    written += write_records(path, 0, range(side // 2, side), side)
    for level in range(1, spec.levels):
        blocks = -(-spec.grid.level(level).height // OVERVIEW_BLOCK)
        written += write_records(path, level, range(blocks), blocks)
    rows.append(_row(path, side, written, rounds))
    return rows


def make_store(path: Path, side: int) -> StoreSpec:
    """A store of so many blocks along each axis, and none of them committed."""
    grid = Grid(height=side * BLOCK, width=side * BLOCK)
    spec = StoreSpec(
        grid=grid,
        layers=("mask",),
        chunk=CHUNK,
        shard=None,
        nodata=255,
        dtype="uint8",
        zarr_format=3,
        classes=(ClassRow(code=0, name="a", color="#000000"),),
        levels=levels_for(grid, CHUNK),
    )
    tiles = {"height": grid.height, "width": grid.width, "block": BLOCK}
    lifecycle.create(path, spec, {"blocks": [side, side], "tiles": tiles})
    return spec


def write_records(path: Path, level: int, rows: range, cols: int) -> int:
    """The records of whole rows of blocks, not durable; how many."""
    ledger = Ledger(path, level)
    for row in rows:
        (path / ledger.place((row, 0))).parent.mkdir(parents=True, exist_ok=True)
        for col in range(cols):
            (path / ledger.place((row, col))).write_bytes(RECORD)
    return len(rows) * cols


def _row(path: Path, side: int, written: int, rounds: int) -> list[str]:
    command = ("-m", "pipeline", "status", str(path))
    seconds = min(cpu_seconds(*command) for _ in range(rounds))
    said = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True).stdout.splitlines()
    return [f"{side * side:,}", f"{written:,}", f"{seconds:.2f}", f"{_peak(command):.0f}", said[1].strip()]


def _peak(command: tuple[str, ...]) -> float:
    """Largest resident memory of one process, MiB."""
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, *command],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    return os.wait4(process, 0)[2].ru_maxrss / 2**10


if __name__ == "__main__":
    typer.run(main)
