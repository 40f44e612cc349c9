"""How far a store is, from its ledger alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.store.layout import read_meta
from pipeline.store.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Progress of a store."""

    blocks: int
    committed: int
    failures: dict[str, str]
    """Why blocks failed when they were last tried, by "row,col"."""
    complete: bool
    """Every block committed and overviews made."""


def status(path: Path) -> Status:
    """Read a store's progress, also while a run is at work on it.

    Raises
    ------
    StoreError
        There is no store of ours.
    """
    meta, ledger = read_meta(path), Ledger(path)
    rows, cols = meta["blocks"]
    failures = {f"{row},{col}": why for (row, col), why in ledger.failures().items()}
    return Status(blocks=rows * cols, committed=len(ledger.committed()), failures=failures, complete=bool(meta.get("complete")))
