"""How far a store is, from its ledger alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.geometry.blocks import overview_blocks_above
from pipeline.locations import Place, Remote
from pipeline.store.cleaned import ROOT_KEY, recorded_fingerprint
from pipeline.store.files import files_at
from pipeline.store.lease.lease import holders
from pipeline.store.ledger import BlockPosition, Ledger
from pipeline.store.lifecycle import main_layer_of, open_layer, read_store_meta
from pipeline.store.spec import overview_block

MAX_FILES_TO_SUM = 20_000
"""Files whose sizes are added up; of more, nobody who only asks how far it is would want to wait for the sum."""


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
    overviews: dict[str, int] | None = None
    """Blocks of overviews that are ``done``, and the ``total``, as `overviews` counts them; None where their arrays are
    damaged."""
    cleaned: dict[str, int] | None = None
    """Blocks of all levels of the layer ``cleaned`` that are ``done``, and the ``total``; None where none is asked
    for."""
    share: float = 0.0
    """Of the pixels, those in committed blocks; where an area is asked for, of its blocks."""
    resume: bool = True
    """Whether the job is to be run again: something is missing."""
    size: int | None = None
    """Bytes in its files; None where these are very many."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of what made it."""
    leases: list[dict[str, Any]] = field(default_factory=list)
    """Who is at work on it, or died at work, as `holders` tells."""
    inputs: list[dict[str, Any]] = field(default_factory=list)
    """Of a network of several inputs, in the order of the bands: ``name``, ``bands`` and ``source``."""


def status(path: Place) -> Status:
    """Read a store's progress, also while a run is at work on it.

    Raises
    ------
    StoreError
        There is no store of ours.
    """
    meta, ledger = read_store_meta(path, "blocks"), Ledger(path)
    rows, cols = meta["blocks"]
    verdict = meta.get("certificate")
    certificate = {key: verdict[key] for key in ("passed", "why")} if verdict else None
    blocks, complete = meta.get("asked", rows * cols), bool(meta.get("complete"))
    committed, share, failed = _tally(ledger, meta, blocks)
    failures = {f"{row},{col}": reason for (row, col), reason in ledger.reasons(failed).items()}
    overview_counts = _overviews(path)
    cleaned = _cleaned(path, meta, blocks, overview_counts)
    whole = (
        complete
        and committed == blocks
        and overview_counts is not None
        and overview_counts["done"] == overview_counts["total"]
        and (cleaned is None or cleaned["done"] == cleaned["total"])
    )
    return Status(
        blocks=blocks,
        committed=committed,
        failures=failures,
        complete=complete,
        certificate=certificate,
        overviews=overview_counts,
        cleaned=cleaned,
        share=share,
        resume=not whole,
        size=_size(path),
        versions=meta.get("versions", {}),
        leases=holders(path),
        inputs=meta.get("inputs", []),
    )


def overviews(path: Place) -> tuple[int, int]:
    """Blocks of overviews that are committed, and all that there will be.

    Of a store with an area, those over blocks that are committed.

    Raises
    ------
    StoreError
        There is no store of ours.
    """
    meta, levels = read_store_meta(path), list(_levels(path))
    done = sum(Ledger(path, level).count() for level in levels)
    if "asked" not in meta:
        return done, sum(_blocks(path, level) for level in levels)
    blocks_per_level = (
        overview_blocks_above(Ledger(path).listed(), meta["tiles"]["block"], _side(path, 1), len(levels) + 1)
        if levels
        else []
    )
    return done, sum(len(blocks) for blocks in blocks_per_level)


def _levels(path: Place) -> Iterator[int]:
    """Levels above full resolution."""
    level, files, layer = 1, files_at(path), main_layer_of(path)
    while files.exists(f"{level}/{layer}/zarr.json") or files.exists(f"{level}/{layer}/.zarray"):
        yield level
        level += 1


def _side(path: Place, level: int) -> int:
    array = open_layer(path, level, main_layer_of(path))
    return overview_block((array.shards or array.chunks)[-1])


def _blocks(path: Place, level: int) -> int:
    *_, height, width = open_layer(path, level, main_layer_of(path)).shape
    side = _side(path, level)
    return -(-height // side) * -(-width // side)


def _tally(ledger: Ledger, meta: dict[str, Any], blocks: int) -> tuple[int, float, list[BlockPosition]]:
    """Committed blocks, their share, and blocks with a note of a failure: all in one pass over the names of records.

    The share is that of the pixels, or of the blocks where it is these that are asked for.
    """
    extent = _Extent.of(meta)
    count, pixels, failed = 0, 0, list[BlockPosition]()
    for records in ledger.rows():
        count += len(records.committed)
        failed += [(records.row, col) for col in records.failed]
        pixels += extent.pixels(records.row, records.committed) if extent else 0
    return count, pixels / (extent.height * extent.width) if extent else count / blocks, failed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extent:
    """The pixels of a raster and its blocks."""

    height: int
    width: int
    block: int

    @classmethod
    def of(cls, meta: dict[str, Any]) -> _Extent | None:
        """Of a store; None where it is blocks that are asked for, or where it does not say."""
        tiles, names = meta.get("tiles"), ("height", "width", "block")
        if "asked" in meta or not isinstance(tiles, dict) or not tiles.keys() >= set(names):
            return None
        return cls(**{name: tiles[name] for name in names})

    def pixels(self, row: int, cols: list[int]) -> int:
        """Of some blocks of one row, those at the raster's edge counted as what they are."""
        widths = sum(min(self.block, self.width - col * self.block) for col in cols)
        return min(self.block, self.height - row * self.block) * widths


def _overviews(path: Place) -> dict[str, int] | None:
    try:
        done, total = overviews(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {"done": done, "total": total}


def _cleaned(
    path: Place, meta: dict[str, Any], blocks: int, overview_counts: dict[str, int] | None
) -> dict[str, int] | None:
    """Blocks of the layer by its records, which count for nothing where they belong to other steps."""
    output = meta.get("config", {}).get("output", {})
    entry = meta.get(ROOT_KEY)
    if entry is None and not output.get("postprocess"):
        return None
    levels = [0, *_levels(path)]
    is_begun = entry is not None and recorded_fingerprint(path) == entry["fingerprint"]
    done = sum(Ledger(path, level, "cleaned").count() for level in levels) if is_begun else 0
    return {"done": done, "total": blocks + (overview_counts["total"] if overview_counts else 0)}


def _size(path: Place) -> int | None:
    """Bytes in the files of a store, unless there are more than `MAX_FILES_TO_SUM`, or it is not on disk."""
    if isinstance(path, Remote):
        return None
    files = list[str]()
    for folder, _, names in os.walk(path):
        if len(files) + len(names) > MAX_FILES_TO_SUM:
            return None
        files += [f"{folder}/{name}" for name in names]
    total = 0
    for file in files:
        with suppress(FileNotFoundError):  # a run is at work
            total += Path(file).stat().st_size
    return total
