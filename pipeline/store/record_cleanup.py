"""Blocks that have a record, and whose chunks are not there any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.errors import StoreError
from pipeline.locations import Place
from pipeline.store.ledger import BlockPosition, Ledger, missing_chunks


def drop_records_of_missing_chunks(store: Place, level: int, blocks: Iterable[BlockPosition] | None = None) -> int:
    """Of some blocks, or of all, drop records that cannot be read or name a chunk that is gone, so that their blocks are made anew; no chunk is read.

    A kill never does this, since a record comes after its chunks are durable; disks, copies and people do.

    Returns
    -------
    int
        How many were dropped.
    """
    ledger = Ledger(store, level)
    incomplete = list(_with_missing_chunks(ledger, ledger.listed() if blocks is None else blocks))
    for block in incomplete:
        ledger.drop(block)
    return len(incomplete)


def _with_missing_chunks(ledger: Ledger, blocks: Iterable[BlockPosition]) -> Iterator[BlockPosition]:
    for block in blocks:
        try:
            record = ledger.record(block)
        except StoreError:
            yield block
            continue
        if record is not None and missing_chunks(ledger.store, record):
            yield block
