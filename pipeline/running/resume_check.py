"""What a run looks at before it goes on with a store: arrays as its job makes them, and records whose chunks are there."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import StoreError
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.shards import Share
from pipeline.locations import Place, Remote
from pipeline.store import check_arrays
from pipeline.store.ledger import Ledger
from pipeline.store.lost import forget_lost
from pipeline.store.spec import StoreSpec


def make_sound(store: Place, spec: StoreSpec, unfinished: bool, say: Callable[[str], None], mine: Share | None = None) -> None:
    """Refuse a store that lost its arrays, and forget blocks that lost their chunks. No chunk is read: `verify` does that.

    Parameters
    ----------
    store, spec
        A store, and what its job makes it of.
    unfinished
        Whether an earlier run left it so: only then records are looked at, one after the other.
    say
        Told how many are forgotten.
    mine
        Blocks that this run answers for, or None for all, and for overviews.

    Raises
    ------
    StoreError
        The arrays are gone, or not those of the job.
    """
    for level in range(spec.levels):
        for _, why in check_arrays.wrong(store, spec, level):
            raise StoreError(f"{store} is damaged: {why} (level {level}). Put its metadata back from a copy, or make the store anew: run with --fresh.")
    lost = _forget(store, spec, mine) if unfinished and not isinstance(store, Remote) else 0  # a request for every chunk, where nothing gets lost by itself
    if lost:
        say(f"{lost} commit records cannot be read or name chunks that are gone; their blocks are made anew")


def _forget(store: Place, spec: StoreSpec, mine: Share | None) -> int:
    if mine is None:
        return sum(forget_lost(store, level) for level in range(spec.levels))
    ledger = Ledger(store)
    return forget_lost(store, 0, (block for row in mine.rows for block in ledger.committed_in(row) if BlockIndex(*block) in mine))
