"""Blocks that have a record, and whose chunks are not there any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.errors import StoreError
from pipeline.locations import Place
from pipeline.store.ledger import BlockKey, Ledger, vanished


def forget_lost(store: Place, level: int, blocks: Iterable[BlockKey] | None = None) -> int:
    """Of some blocks, or of all, drop records that cannot be read or name a chunk that is gone, so that their blocks are made anew; no chunk is read.

    A kill never does this, since a record comes after its chunks are durable; disks, copies and people do.

    Returns
    -------
    int
        How many were dropped.
    """
    ledger = Ledger(store, level)
    gone = list(_lost(ledger, ledger.listed() if blocks is None else blocks))
    for block in gone:
        ledger.drop(block)
    return len(gone)


def _lost(ledger: Ledger, blocks: Iterable[BlockKey]) -> Iterator[BlockKey]:
    for block in blocks:
        try:
            record = ledger.record(block)
        except StoreError:
            yield block
            continue
        if record is not None and vanished(ledger.store, record):
            yield block
