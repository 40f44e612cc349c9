"""Stores of made-up classes and confidences, written as a run writes them, without a network.

    python -m benchmarks.exporting.stores STORE SIZE [BLOCKS]

Classes are those of the largest of four smooth fields, so that objects have ragged edges, holes and islands. A pixel
depends on its place alone. With BLOCKS, so many blocks are drawn anywhere in the raster, and the store is left as a run
leaves it before it finishes.
"""

from __future__ import annotations

import random
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj

from pipeline.exports import sidecars
from pipeline.geometry.grid import Grid
from pipeline.geometry.window import Window
from pipeline.store import lifecycle, overviews
from pipeline.store.ledger import commit_block
from pipeline.store.spec import ClassRow, StoreSpec, levels_for

BLOCK, CHUNK, NODATA = 1024, 512, 255
LAYERS = ("mask", "confidence")
CLASSES = tuple(
    ClassRow(code=code, name=name, color=color)
    for code, (name, color) in enumerate(
        {"water": "#2b83ba", "forest": "#1a7837", "fields": "#d9d9a0", "built-up": "#d7191c"}.items()
    )
)
OCTAVES = {96: 1.0, 24: 0.35, 6: 0.1}
"""Weights of fields by the distance of their nodes, px."""
HOLES, HOLES_ABOVE = 1500, 0.8
"""Distance of the nodes of the field whose peaks are nodata, px, and where these begin."""
Block = tuple[int, int]


def write_store(path: Path, side: int, blocks: list[Block] | None = None) -> None:
    """Write a store of ``side``² px.

    Parameters
    ----------
    path
        Nothing is there yet.
    side
        px.
    blocks
        Rows and columns of those that are written, of an area of interest; by default all, and the store is finished.
    """
    count = -(-side // BLOCK)
    spec, meta = _spec(side), _meta(count, blocks)
    lifecycle.create(path, spec, meta)
    for row, col in blocks or product(range(count), range(count)):
        window = Window(row=row * BLOCK, col=col * BLOCK, height=BLOCK, width=BLOCK).clip(side, side)
        for layer, values in zip(LAYERS, made_up(window), strict=True):
            lifecycle.open_layer(path, 0, layer)[window.slices] = values
        commit_block(path, 0, (row, col), window, LAYERS, {})
    if blocks is None:
        overviews.build_overviews(path, spec)
        sidecars.finish_store(path, spec, meta)


def made_up(window: Window) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """(rows, cols) codes, and confidences from 1 to 251 by how much the first class leads; nodata where holes are."""
    scores = np.stack(
        [
            sum(weight * field(window, period, 10 * row.code + k) for k, (period, weight) in enumerate(OCTAVES.items()))
            for row in CLASSES
        ]
    )
    codes = scores.argmax(axis=0).astype(np.uint8)
    lead = scores.max(axis=0) - np.partition(scores, -2, axis=0)[-2]
    holes = field(window, HOLES, 99) > HOLES_ABOVE
    confidence = 1 + np.minimum(lead * 500, 250).astype(np.uint8)
    return np.where(holes, np.uint8(NODATA), codes), np.where(holes, np.uint8(0), confidence)


def field(window: Window, period: int, seed: int) -> npt.NDArray[np.float32]:
    """(rows, cols) between 0 and 1: random at nodes, smooth between them, the same wherever windows are cut."""
    rows, down = _weights(window.row, window.height, period)
    cols, across = _weights(window.col, window.width, period)
    return np.asarray(down @ _nodes(rows, cols, seed) @ across.T)


def _weights(start: int, size: int, period: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Nodes that a line of pixels lies between, and (pixels, nodes) how much each counts."""
    node, rest = np.divmod(np.arange(start, start + size), period)
    part = ((t := rest / period) * t * (3 - 2 * t)).astype(np.float32)
    nodes = np.arange(node[0], node[-1] + 2)
    weights = np.zeros((size, len(nodes)), dtype=np.float32)
    at = np.arange(size), node - node[0]
    weights[at], weights[at[0], at[1] + 1] = 1 - part, part
    return nodes, weights


def _nodes(rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.float32]:
    """(rows, cols) random numbers below 1 by the place of a node alone, by SplitMix64."""
    z = (rows[:, None] * 2**32 + cols + seed * 2**56).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


def _spec(side: int) -> StoreSpec:
    grid = Grid(
        height=side,
        width=side,
        transform=(1.0, 0.0, 300_000.0, 0.0, -1.0, 6_000_000.0),
        wkt=pyproj.CRS.from_epsg(32633).to_wkt(),
        code="EPSG:32633",
        unit="crs",
    )
    return StoreSpec(
        grid=grid,
        layers=LAYERS,
        chunk=CHUNK,
        shard=None,
        nodata=NODATA,
        dtype="uint8",
        zarr_format=3,
        classes=CLASSES,
        levels=levels_for(grid, CHUNK),
    )


def _meta(count: int, blocks: list[Block] | None) -> dict[str, Any]:
    """What a root says of a job that had this store."""
    asked = {} if blocks is None else {"asked": len(blocks)}
    return {
        "id": "benchmark",
        "blocks": [count, count],
        "tiles": {"block": BLOCK, "chunk": CHUNK, "shard": None},
        "classes": [{"code": row.code, "name": row.name, "color": row.color, "role": None} for row in CLASSES],
        "config": {"output": {"layers": list(LAYERS)}, "execution": {}},
        "fingerprint": {},
        **asked,
    }


if __name__ == "__main__":
    side, count = int(sys.argv[2]), -(-int(sys.argv[2]) // BLOCK)
    anywhere = random.Random(0).sample(range(count * count), int(sys.argv[3])) if len(sys.argv) > 3 else None
    write_store(Path(sys.argv[1]), side, anywhere and sorted(divmod(place, count) for place in anywhere))
