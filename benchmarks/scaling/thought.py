"""The blocks of a raster of 10⁶ × 10⁶ px that is not there: the engines, and the ledger of a resume."""

from __future__ import annotations

import os
import shutil
import time
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from unittest import mock

import numpy as np
import psutil

from benchmarks.scaling import table
from pipeline.engines import KINDS
from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.tiling import HaloTiling
from pipeline.store.ledger import Ledger

SIDE, BLOCK = 10**6, 1024
SAMPLES = 10
"""Looks at the memory of the process."""


def layout() -> BlockGrid:
    """The blocks."""
    axis = HaloTiling(length=SIDE, multiple=1, halo=0, core=BLOCK)
    return BlockGrid(height=SIDE, width=SIDE, block=BLOCK, rows=axis, cols=axis)


def nothing(index: BlockIndex) -> BlockIndex:
    """What is done for a block."""
    return index


def engines(blocks: int) -> str:
    """Each engine over the first blocks."""
    head = [
        "engine",
        "blocks",
        "open s",
        "first block ms",
        "µs per block",
        "close s",
        "memory MiB",
        "growth, bytes per block",
    ]
    return table(head, (_engine(kind, blocks) for kind in ("serial", "threads", "processes")))


def _engine(kind: str, blocks: int) -> list[str]:
    start = time.perf_counter()
    with KINDS[kind](4) as run:
        opened = time.perf_counter()
        seen = list(_looks(run(nothing, islice(layout().blocks(), blocks)), max(blocks // SAMPLES, 1)))
        done = time.perf_counter()
    closed, (first, *rest) = time.perf_counter(), seen
    slope = np.polyfit([count for count, _, _ in rest], [size for _, _, size in rest], 1)[0]
    said = [
        f"{opened - start:.2f}",
        f"{(first[1] - opened) * 1e3:.2f}",
        f"{(done - opened) / blocks * 1e6:.1f}",
        f"{closed - done:.2f}",
    ]
    return [kind, f"{blocks:,}", *said, f"{rest[-1][2] / 2**20:.0f}", f"{slope:.1f}"]


def _looks(results: Iterator[object], every: int) -> Iterator[tuple[int, float, int]]:
    """(blocks, time, resident bytes): at the first and then regularly."""
    process = psutil.Process()
    for count, _ in enumerate(results, start=1):
        if count == 1 or not count % every:
            yield count, time.perf_counter(), process.memory_info().rss


def ledger(out: Path, blocks: int) -> str:
    """Records of the first blocks written as a run does, but not made durable; then what a resume asks of them."""
    store = out / "thought.zarr"
    shutil.rmtree(store, ignore_errors=True)
    book, record = Ledger(store), {"source": "0" * 32, "chunks": {f"0/mask/c/{k}/0": "0" * 32 for k in range(4)}}
    with mock.patch.object(os, "fsync"):
        wrote = _timed(
            lambda: [book.commit((index.row, index.col), record) for index in islice(layout().blocks(), blocks)]
        )
    listed = _timed(book.committed)
    counted = _timed(book.count)
    tracemalloc.start()
    held = book.committed()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    went = _timed(lambda: next((i for i in layout().blocks() if (i.row, i.col) not in held), None))
    shutil.rmtree(store)
    said = [f"{seconds / blocks * 1e6:.1f}" for seconds in (wrote, listed, counted, went)]
    head = ["records", "write µs (no fsync)", "list µs", "count µs", "pass over µs", "bytes held each", "list s"]
    return table(head, [[f"{blocks:,}", *said, f"{size / len(held):.0f}", f"{listed:.2f}"]])


def _timed(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start
