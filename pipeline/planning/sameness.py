"""Whether a source that lies elsewhere, or was written anew, gives the pixels that a store was made of.

By the ledger, without the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from pipeline.errors import ReadError, SourceError, StoreError
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.shards import ShardBlocks
from pipeline.inference.read import pixel_checksum, read_with_retries
from pipeline.inference.recipe import requested_window
from pipeline.planning.fingerprint import config_key, is_move, of_one_source
from pipeline.planning.job import Job
from pipeline.sources.mosaics.history import piece_changes
from pipeline.store.ledger import Ledger

THREADS = 4
"""That read at once, where the plan has as many blocks in flight."""
BATCH_BLOCKS = 64
"""Blocks that are handed to them together."""


def check_pixels(job: Job, share: ShardBlocks | None, say: Callable[[str], None]) -> None:
    """Compare the pixels of all committed blocks with the checksums that were taken when they were read.

    Parameters
    ----------
    job
        Whose source is not where its store says it is, or not as old.
    share
        Blocks that this run answers for, or None for all.
    say
        Told what is compared.

    Raises
    ------
    SourceError
        The source cannot be read there.
    StoreError
        Some of its pixels are others.
    """
    blocks = _committed(job, share)
    say(
        f"the source lies elsewhere or was written anew since {job.path} was made: pixels of committed "
        f"blocks are compared with the ledger"
    )
    threads, compared, other = max(1, min(job.plan.workers, THREADS)), 0, list[BlockIndex]()
    with ThreadPoolExecutor(threads, thread_name_prefix="compare") as pool:
        while batch := list(islice(blocks, BATCH_BLOCKS)):
            alike = pool.map(lambda index: _alike(job, index), batch)
            other += [index for index, same in zip(batch, alike, strict=True) if not same]
            compared += len(batch)
    if other:
        raise StoreError(_other(job, other, compared))
    say(f"{compared:,} committed blocks have the same pixels; the store is gone on with")


def _committed(job: Job, share: ShardBlocks | None) -> Iterator[BlockIndex]:
    ledger = Ledger(job.path)
    if share is None:
        return (BlockIndex(*block) for block in ledger.listed())
    return (
        BlockIndex(*block) for row in share.rows for block in ledger.committed_in(row) if BlockIndex(*block) in share
    )


def _alike(job: Job, index: BlockIndex) -> bool:
    record = Ledger(job.path).record((index.row, index.col))
    if record is None or "source" not in record:  # dropped meanwhile, or to be made anew
        return True
    task = job.task
    frame = task.layout.read_window(index, requested_window(task.layout.window(index), task.requested(index)))
    try:
        pixels = read_with_retries(job.source, frame, task.retries)
    except ReadError as error:
        raise SourceError(
            f"{str(error).rstrip('.')}. Mend the file, or run with --same-source if the pixels of its "
            f"committed blocks are known to be the same."
        ) from error
    stored: str = record["source"]
    return pixel_checksum(pixels, like=stored) == stored


def source_change(job: Job) -> str | None:
    """How the source is told apart from the one that the store was made of, in words.

    None where it lies as it lay, or there is no store.
    """
    if not (job.moved and job.resumes):
        return None
    paths = [key for key in job.moved if of_one_source(key) == "source.path"]
    changes = [change for key in paths if (change := _change_of(key, job, only=len(paths) == 1)) is not None]
    return " and ".join(changes)


def _change_of(path: str, job: Job, only: bool) -> str | None:
    """How a source, or one of a stack, differs by its path or its date; None where it does not."""
    then, now, prefix = job.fingerprint, job.moved, path.removesuffix("path")
    if then.get(path) != now[path]:
        return f"{config_key(path)} was {then.get(path)} and is now {now[path]}"
    if pieces := piece_changes(then.get(f"{prefix}files"), now.get(f"{prefix}files")):
        return f"of the pieces of {now[path]}, {pieces}"
    keys = [key for key in now if key.startswith(prefix) and is_move(key) and key in then]
    section = config_key(prefix).removesuffix(".")
    name = now[path] if section.startswith("source") else f"{section} ({now[path]})"
    return f"{name} was written anew since" if only or any(then[key] != now[key] for key in keys) else None


def _other(job: Job, other: list[BlockIndex], compared: int) -> str:
    first = other[0]
    return (
        f"{job.path} was made of other pixels: {source_change(job)}, and {len(other):,} of {compared:,} "
        f"committed blocks differ, the first at row "
        f"{first.row} and "
        f"column {first.col} of blocks. Resuming would mix two results in one store. Give back the source "
        f"that it was made of, give another output.path, or "
        "run with --fresh, which deletes the store and starts over."
    )
