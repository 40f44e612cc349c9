"""A store and rasters of noise for `benchmarks.view`, as large as one likes, in little room."""

from __future__ import annotations

import os
import struct
import uuid
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import rasterio

from pipeline.geometry.grid import Grid
from pipeline.planning.types import TilePlan
from pipeline.store.lifecycle import create, open_layer
from pipeline.store.spec import ClassRow, StoreSpec, levels_for

DISTINCT = 64
"""Chunks or tiles that differ."""
DISTINCT_STRIPS = 1024
"""Strips that differ: more than one tile reads."""
CHUNK = 512
"""Side of a chunk of the store, px."""
CLASSES = tuple(
    ClassRow(code=code, name=f"class {code}", color=color)
    for code, color in enumerate(("#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e"))
)
_LONG8, _LONG, _SHORT = 16, 4, 3
"""Types of a TIFF's tags."""


def linked_store(path: Path, grid: Grid, raster: Path) -> tuple[Path, list[Path]]:
    """A complete store whose chunks are links to a few of noise; it, and these few.

    Parameters
    ----------
    path
        Where nothing is yet.
    grid
        Of its full resolution.
    raster
        Which it names as its source.
    """
    levels = levels_for(grid, CHUNK)
    spec = StoreSpec(
        grid=grid,
        layers=("mask",),
        chunk=CHUNK,
        shard=None,
        nodata=255,
        dtype="uint8",
        zarr_format=3,
        classes=CLASSES,
        levels=levels,
    )
    plan = TilePlan(
        height=grid.height,
        width=grid.width,
        block=4 * CHUNK,
        chunk=CHUNK,
        shard=None,
        multiple=1,
        minimum=1,
        halo=0,
        core=CHUNK,
        size=CHUNK,
        step=0,
        taper="flat",
        blend="logits",
        exact=True,
        why="",
    )
    meta = {
        "blocks": list(plan.layout().shape),
        "tiles": plan.as_dict(),
        "classes": [asdict(row) for row in CLASSES],
        "levels": levels,
        "config": {"source": {"path": str(raster)}, "output": {"layers": ["mask"]}},
        "id": uuid.uuid4().hex,
        "complete": True,
    }
    create(path, spec, meta)
    distinct = _distinct_chunks(path, spec)
    for level in range(levels):
        size = grid.level(level)
        for row, col in product(*(range(-(-length // CHUNK)) for length in (size.height, size.width))):
            chunk = path / f"{level}/mask/c/{row}/{col}"
            chunk.parent.mkdir(parents=True, exist_ok=True)
            chunk.unlink(missing_ok=True)
            os.link(distinct[(row * 31 + col * 7 + level) % len(distinct)], chunk)
    return path, distinct


def _distinct_chunks(path: Path, spec: StoreSpec) -> list[Path]:
    """Files of chunks of noise beside a store, each encoded as the store's own."""
    rng, array, folder = np.random.default_rng(0), open_layer(path, 0, "mask"), path.with_suffix(".chunks")
    folder.mkdir()
    rows, cols = (min(CHUNK, length) for length in (spec.grid.height, spec.grid.width))
    for number in range(DISTINCT):
        array[:rows, :cols] = rng.integers(0, len(CLASSES), (rows, cols), dtype=np.uint8)
        (folder / str(number)).write_bytes((path / "0/mask/c/0/0").read_bytes())
    return sorted(folder.iterdir())


def shared_tiff(path: Path, side: int, tile: int | None) -> Path:
    """A BigTIFF of one band of noise, uint8 and uncompressed, whose tiles or strips lie at the same few places.

    Parameters
    ----------
    path
        Where it is written.
    side
        Rows and columns, px.
    tile
        Side of its tiles, px, with overviews down to one tile; None for strips of one row and no overview.
    """
    rng, sizes = np.random.default_rng(1), [side]
    while tile is not None and sizes[-1] > tile:
        sizes.append(-(-sizes[-1] // 2))
    unit = side if tile is None else tile * tile
    with path.open("wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
        places = []
        for _ in range(DISTINCT_STRIPS if tile is None else DISTINCT):
            places.append(file.tell())
            file.write(rng.integers(0, 256, unit, dtype=np.uint8).tobytes())
        link = 8
        for number, size in enumerate(sizes):
            directory = _directory(file.tell(), size, tile, unit, np.array(places), reduced=number > 0)
            start = file.tell()
            file.write(directory[0])
            file.seek(link)
            file.write(struct.pack("<Q", start))
            file.seek(0, os.SEEK_END)
            link = start + directory[1]
    return path


def _directory(
    start: int, size: int, tile: int | None, unit: int, places: np.ndarray, reduced: bool
) -> tuple[bytes, int]:
    """A directory of a BigTIFF with its arrays behind it, and where in it the next directory is named."""
    count = size if tile is None else (-(-size // tile)) ** 2
    order = np.arange(count) * 31 % len(places)
    offsets, lengths = places[order].astype("<u8"), np.full(count, size if tile is None else unit, "<u8")
    tags: list[tuple[int, int, np.ndarray | int]] = [
        (254, _LONG, int(reduced)),
        (256, _LONG, size),
        (257, _LONG, size),
        (258, _SHORT, 8),
        (259, _SHORT, 1),
        (262, _SHORT, 1),
        *([(273, _LONG8, offsets)] if tile is None else []),
        (277, _SHORT, 1),
        *([(278, _LONG, 1), (279, _LONG8, lengths)] if tile is None else []),
        *(
            []
            if tile is None
            else [(322, _LONG, tile), (323, _LONG, tile), (324, _LONG8, offsets), (325, _LONG8, lengths)]
        ),
    ]
    arrays, behind = b"", start + 8 + 20 * len(tags) + 8
    rows = b""
    for tag, kind, value in tags:
        if isinstance(value, int):
            rows += struct.pack("<HHQQ", tag, kind, 1, value)
        elif len(value) == 1:
            rows += struct.pack("<HHQQ", tag, kind, 1, int(value[0]))
        else:
            rows += struct.pack("<HHQQ", tag, kind, len(value), behind + len(arrays))
            arrays += value.tobytes()
    head = struct.pack("<Q", len(tags)) + rows
    return head + struct.pack("<Q", 0) + arrays, len(head)


def plain_jp2(path: Path, side: int) -> Path:
    """A JPEG 2000 of one band of noise, lossless, in tiles of 1024 px."""
    pixels = np.random.default_rng(2).integers(0, 256, (1, side, side), dtype=np.uint8)
    profile = {"driver": "JP2OpenJPEG", "height": side, "width": side, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, QUALITY="100", REVERSIBLE="YES") as out:
        out.write(pixels)
    return path
