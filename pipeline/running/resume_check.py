"""What a run looks at before it goes on with a store.

Arrays as its job makes them, and records whose chunks are there.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import StoreError
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.shards import ShardBlocks
from pipeline.locations import Place, Remote
from pipeline.store import check_arrays
from pipeline.store.ledger import Ledger, drop_records_of_missing_chunks
from pipeline.store.spec import StoreSpec


def check_before_resume(
    store: Place, spec: StoreSpec, unfinished: bool, say: Callable[[str], None], shard_blocks: ShardBlocks | None = None
) -> None:
    """Refuse a store that lost its arrays, and forget blocks that lost their chunks.

    No chunk is read: `verify` does that.

    Parameters
    ----------
    store, spec
        A store, and what its job makes it of.
    unfinished
        Whether an earlier run left it so: only then records are looked at, one after the other.
    say
        Told how many are forgotten.
    shard_blocks
        Blocks that this run answers for, or None for all, and for overviews.

    Raises
    ------
    StoreError
        The arrays are gone, or not those of the job.
    """
    for level in range(spec.levels):
        for _, reason in check_arrays.array_errors(store, spec, level):
            raise StoreError(
                f"{store} is damaged: {reason} (level {level}). Put its metadata back from a copy, or make "
                f"the store anew: run with --fresh."
            )
    # on object storage it would be a request for every chunk, where nothing gets lost by itself
    dropped = _drop_records(store, spec, shard_blocks) if unfinished and not isinstance(store, Remote) else 0
    if dropped:
        say(f"{dropped} commit records cannot be read or name chunks that are gone; their blocks are made anew")


def _drop_records(store: Place, spec: StoreSpec, shard_blocks: ShardBlocks | None) -> int:
    if shard_blocks is None:
        return sum(drop_records_of_missing_chunks(store, level) for level in range(spec.levels))
    ledger = Ledger(store)
    return drop_records_of_missing_chunks(
        store,
        0,
        (
            block
            for row in shard_blocks.rows
            for block in ledger.committed_in(row)
            if BlockIndex(*block) in shard_blocks
        ),
    )
