"""Made-up blocks written and committed as a run does, chunks and records durable; nothing is inferred."""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.scaling import table
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.store import files, ledger
from pipeline.store import lifecycle as store
from pipeline.store.files import local
from pipeline.store.spec import ClassRow, StoreSpec

BLOCK, CHUNK = 1024, 512
LAYERS = ("mask", "confidence")


class Watch:
    """Seconds and calls of a function that is looked at."""

    def __init__(self, work: object) -> None:
        self.work, self.seconds, self.calls = work, 0.0, 0

    def __call__(self, *given: object) -> object:
        """Do it."""
        start = time.perf_counter()
        try:
            return self.work(*given)  # type: ignore[operator]
        finally:
            self.seconds, self.calls = self.seconds + time.perf_counter() - start, self.calls + 1


def measure(out: Path, side: int, rounds: int) -> str:
    """``side``² blocks, several times; medians of ms per block."""
    found = [_round(out / "line.zarr", side) for _ in range(rounds)]
    middle = [statistics.median(values) for values in zip(*found, strict=True)]
    head = ["blocks", "zarr ms", "fsync of chunks ms", "record ms", "checksums and rest ms", "calls of fsync"]
    return table(head, [[str(side * side), *(f"{value:.2f}" for value in middle)]])


def _round(path: Path, side: int) -> tuple[float, ...]:
    shutil.rmtree(path, ignore_errors=True)
    store.create(path, _spec(side), {})
    values = np.sort(np.random.default_rng(0).integers(0, 4, (BLOCK, BLOCK), dtype=np.uint8), axis=1)
    sync, record, each = Watch(local.os.fsync), Watch(ledger.Ledger.commit), Watch(_write)
    chunks = Watch(files.Files.sync)
    with (
        mock.patch.object(local.os, "fsync", sync),
        mock.patch.object(ledger.Ledger, "commit", lambda *given: record(*given)),
        mock.patch.object(local.Disk, "sync", lambda *given: chunks(*given)),
    ):
        start = time.perf_counter()
        for block in ((row, col) for row in range(side) for col in range(side)):
            window = Window(row=block[0] * BLOCK, col=block[1] * BLOCK, height=BLOCK, width=BLOCK)
            each(path, window, values)
            ledger.commit_block(path, 0, block, window, LAYERS, {})
        whole = time.perf_counter() - start
    shutil.rmtree(path)
    parts, count = (each.seconds, chunks.seconds, record.seconds), side * side
    return (*(seconds / count * 1e3 for seconds in (*parts, whole - sum(parts))), sync.calls / count)


def _write(path: Path, window: Window, values: np.ndarray) -> None:
    for layer in LAYERS:
        store.open_layer(path, 0, layer)[window.slices] = values


def _spec(side: int) -> StoreSpec:
    return StoreSpec(
        grid=Grid(height=side * BLOCK, width=side * BLOCK),
        layers=LAYERS,
        chunk=CHUNK,
        shard=None,
        nodata=255,
        dtype="uint8",
        zarr_format=3,
        classes=(ClassRow(code=0, name="a", color="#000000"),),
        levels=1,
    )
