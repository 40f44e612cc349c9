"""The layer ``cleaned`` of a store: its arrays, and which steps its commit records belong to.

The root names the steps from the moment at which the layer is begun. A note below its array says which steps the
records belong to; it goes where a block of the mask is made anew, and with it all that was made of that block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipeline.geometry.span import Span
from pipeline.geometry.window import Window
from pipeline.locations import Place
from pipeline.store import hierarchy
from pipeline.store.check_arrays import array_errors
from pipeline.store.files import files_at
from pipeline.store.instances import hide_instances
from pipeline.store.ledger import BlockPosition, Ledger
from pipeline.store.lifecycle import clear_open_arrays, read_store_meta, restate
from pipeline.store.spec import StoreSpec

ROOT_KEY = "cleaned"
"""What the root says of the layer: ``steps`` as they were given, ``resolved``, and their ``fingerprint``."""
NOTE = "0/cleaned/ledger/steps.json"
"""Holds the fingerprint of the steps that the records belong to."""


def recorded_fingerprint(store: Place) -> str | None:
    """The fingerprint that the records of the layer belong to; None where they belong to nothing."""
    try:
        return str(json.loads(files_at(store).get(NOTE) or b"{}")["fingerprint"])
    except (ValueError, KeyError, TypeError):
        return None


def forget_cleaned(store: Place) -> None:
    """Have the whole layer made anew: a block of the mask is about to change."""
    files_at(store).delete(NOTE)


def begin_cleaned(store: Place, spec: StoreSpec, entry: dict[str, Any]) -> None:
    """Make the layer's arrays, empty of records, and have the root name its steps.

    The store is not complete from here on. Cut off anywhere, it is begun anew.

    Parameters
    ----------
    store, spec
        A store that is held, and its spec.
    entry
        What the root says of the layer.
    """
    forget_cleaned(store)
    hide_instances(store)
    meta = read_store_meta(store)
    restate(store, {key: meta[key] for key in meta if key not in ("complete", "certificate")} | {ROOT_KEY: entry})
    for level in range(spec.levels):
        ledger = Ledger(store, level, "cleaned")
        for block in list(ledger.listed()):
            ledger.drop(block)
    _make_arrays(store, spec.cleaned)
    files_at(store).put(NOTE, json.dumps({"fingerprint": entry["fingerprint"]}).encode())


def _make_arrays(store: Place, cleaned: StoreSpec) -> None:
    files = files_at(store)
    for level in range(cleaned.levels):
        if any(array_errors(store, cleaned, level)):
            hierarchy.create_layer(store, cleaned, level, "cleaned")
            folder = f"{level}/cleaned"
            files.sync(key for name in ("zarr.json", ".zarray", ".zattrs") if files.exists(key := f"{folder}/{name}"))
    clear_open_arrays()


def missing_blocks(store: Place, layer: str = "cleaned") -> Iterator[BlockPosition]:
    """Blocks of the mask whose block of a derived layer has no record, row by row."""
    mask, derived = Ledger(store), Ledger(store, 0, layer)
    row, committed = -1, set[BlockPosition]()
    for block in mask.listed():
        if block[0] != row:
            row, committed = block[0], derived.committed_in(block[0])
        if block not in committed:
            yield block


def block_window(spec: StoreSpec, side: int, block: BlockPosition) -> Window:
    """The pixels of a block of the mask, whose side is given in px."""
    rows, cols = (Span(index * side, (index + 1) * side) for index in block)
    return Window.of(rows, cols).clip(spec.grid.height, spec.grid.width)
