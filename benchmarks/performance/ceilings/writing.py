"""Ceiling: writing a finished mask into a new Zarr array of the same chunks and codec.

All cores write. A block counts once it is durable and recorded.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from benchmarks.performance.child import cores, serve

BLOCK = 2048
"""Side of what one thread writes and commits at once, px, as near as whole files come."""


def measure(orders: dict[str, Any]) -> dict[str, Any]:
    """Seconds that the mask of a store takes to be written anew."""
    made = zarr.open_array(orders["like"], mode="r")
    mask, path = np.asarray(made[:]), Path(orders["out"])
    array = zarr.create_array(
        path,
        shape=made.shape,
        chunks=made.chunks,
        shards=made.shards,
        dtype=made.dtype,
        fill_value=made.fill_value,
        compressors=made.compressors,
        zarr_format=made.metadata.zarr_format,
        config={"write_empty_chunks": False},
        overwrite=True,
    )
    unit = (made.shards or made.chunks)[0]
    step = max(BLOCK // unit, 1) * unit
    places = list(product(range(0, made.shape[0], step), range(0, made.shape[1], step)))

    def write(place: tuple[int, int]) -> None:
        row, col = place
        array[row : row + step, col : col + step] = mask[row : row + step, col : col + step]
        files = [
            path / array.metadata.encode_chunk_key((i // unit, j // unit))
            for i, j in product(range(row, row + step, unit), range(col, col + step, unit))
        ]
        commit(path / f"record-{row}-{col}.json", [file for file in files if file.exists()])

    start = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(write, places))
    seconds = time.perf_counter() - start
    return {"mpx_per_s": mask.size / seconds / 1e6, "seconds": seconds, "threads": cores()}


def commit(record: Path, files: list[Path]) -> None:
    """Make the chunks durable, then a record with their checksums."""
    for path in [*files, *{file.parent for file in files}]:
        sync(path)
    said = {str(file): hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest() for file in files}
    partial = record.with_suffix(".partial")
    partial.write_text(json.dumps(said))
    sync(partial)
    partial.replace(record)
    sync(record.parent)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if __name__ == "__main__":
    serve(measure)
