"""How far a store is, from its ledger alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.place import Place
from pipeline.store.due import due
from pipeline.store.files import Files
from pipeline.store.layout import open_layer, read_meta
from pipeline.store.ledger import Ledger
from pipeline.store.spec import overview_block


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Progress of a store."""

    blocks: int
    """Blocks that there will be: all, or those that touch the area of interest."""
    committed: int
    failures: dict[str, str]
    """Why blocks failed when they were last tried, by "row,col"."""
    complete: bool
    """Every block committed and overviews made."""
    certificate: dict[str, Any] | None = None
    """Whether it ``passed`` when it was last verified, and ``why``."""


def status(path: Place) -> Status:
    """Read a store's progress, also while a run is at work on it.

    Raises
    ------
    StoreError
        There is no store of ours.
    """
    meta, ledger = read_meta(path, "blocks"), Ledger(path)
    rows, cols = meta["blocks"]
    failures = {f"{row},{col}": why for (row, col), why in ledger.failures().items()}
    said = meta.get("certificate")
    certificate = {key: said[key] for key in ("passed", "why")} if said else None
    blocks = meta.get("asked", rows * cols)
    return Status(blocks=blocks, committed=ledger.count(), failures=failures, complete=bool(meta.get("complete")), certificate=certificate)


def overviews(path: Place) -> tuple[int, int]:
    """Blocks of overviews that are committed, and all that there will be; of a store with an area, those over blocks that are committed.

    Raises
    ------
    StoreError
        There is no store of ours.
    """
    meta, levels = read_meta(path), list(_levels(path))
    done = sum(Ledger(path, level).count() for level in levels)
    if "asked" not in meta:
        return done, sum(_blocks(path, level) for level in levels)
    there = due(Ledger(path).committed(), meta["tiles"]["block"], _side(path, 1), len(levels) + 1) if levels else []
    return done, sum(len(some) for some in there)


def _levels(path: Place) -> Iterator[int]:
    """Levels above full resolution."""
    level, files = 1, Files(path)
    while files.exists(f"{level}/mask/zarr.json") or files.exists(f"{level}/mask/.zarray"):
        yield level
        level += 1


def _side(path: Place, level: int) -> int:
    array = open_layer(path, level, "mask")
    return overview_block((array.shards or array.chunks)[0])


def _blocks(path: Place, level: int) -> int:
    (height, width), side = open_layer(path, level, "mask").shape, _side(path, level)
    return -(-height // side) * -(-width // side)
