"""Stores whose pixels say where they are, as far as a run has come with them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.planning.types import TilePlan
from pipeline.store import overviews
from pipeline.store.foreign_arrays import open_array
from pipeline.store.ledger import commit_block
from pipeline.store.lifecycle import clear_open_arrays, create, open_layer, read_store_meta, restate
from pipeline.store.spec import StoreSpec
from tests.store import specs

GRID = Grid(height=600, width=900, transform=specs.NORTH_UP, wkt=specs.UTM, code="EPSG:32633", unit="crs")
BLOCK = 256


def spec(**changes: Any) -> StoreSpec:
    return specs.spec(**{"grid": GRID, "chunk": 256, "layers": ("mask", "confidence"), **changes})


def begin(path: Path, of: StoreSpec, source: dict[str, Any] | None = None, **meta: Any) -> Path:
    """A store of which no block is committed."""
    open_array.cache_clear()
    clear_open_arrays()
    create(path, of, {**root(of, source or {"path": "nowhere.tif"}), **meta})
    return path


def root(of: StoreSpec, source: dict[str, Any]) -> dict[str, Any]:
    tiles = plan(of)
    return {
        "blocks": list(tiles.layout().shape),
        "tiles": tiles.as_dict(),
        "classes": [asdict(row) for row in of.classes],
        "levels": of.levels,
        "config": {"source": source, "output": {"layers": list(of.layers)}},
        "id": uuid.uuid4().hex,
    }


def plan(of: StoreSpec) -> TilePlan:
    return TilePlan(
        height=of.grid.height,
        width=of.grid.width,
        block=BLOCK,
        chunk=of.chunk,
        shard=of.shard,
        multiple=1,
        minimum=1,
        halo=8,
        core=128,
        size=144,
        step=0,
        taper="flat",
        blend="logits",
        exact=True,
        why="",
    )


def fill(path: Path, of: StoreSpec, blocks: Iterable[tuple[int, int]] | None = None) -> None:
    """Write and commit blocks, all by default."""
    layout = plan(of).layout()
    for row, col in blocks if blocks is not None else [(each.row, each.col) for each in layout.blocks()]:
        window = layout.window(BlockIndex(row, col))
        write(path, of, window)
        commit_block(path, 0, (row, col), window, of.layers, {})


def write(path: Path, of: StoreSpec, window: Window) -> None:
    """Write a window, and commit nothing."""
    for layer in of.layers:
        open_layer(path, 0, layer)[(..., *window.slices)] = pixels(of, layer)[(..., *window.slices)]


def pixels(of: StoreSpec, layer: str = "mask") -> np.ndarray:
    if layer == "values":
        rows, cols = np.mgrid[: of.grid.height, : of.grid.width]
        return np.stack([(1 + k) * cols - rows for k in range(len(of.values.channels))]).astype("float32")
    if layer == "confidence":
        rows, cols = np.mgrid[: of.grid.height, : of.grid.width]
        return (1 + (rows + 2 * cols) % 255).astype("uint8")
    return specs.pixels(of)


def complete(path: Path, of: StoreSpec, **meta: Any) -> None:
    """Make the overviews, and mark the store complete."""
    overviews.build_overviews(path, of)
    restate(path, {**read_store_meta(path), "complete": True, **meta})


def whole(path: Path, of: StoreSpec | None = None, source: dict[str, Any] | None = None, **meta: Any) -> Path:
    """A complete store."""
    of = of or spec()
    begin(path, of, source, **meta)
    fill(path, of)
    complete(path, of)
    return path


def add_instances(path: Path, ids: np.ndarray) -> None:
    """Put a layer of single objects beside the others."""
    zarr.open_group(path, mode="r+", use_consolidated=False).create_group("labels/instances").create_array(
        "0", data=ids, chunks=(256, 256), fill_value=0
    )
