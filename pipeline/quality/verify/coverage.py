"""Whether everything is there: a record for each block of each level, and each chunk as it was recorded and readable."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from pipeline.errors import StoreError
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.span import cut
from pipeline.geometry.window import Window
from pipeline.locations import Place
from pipeline.planning.job import Job
from pipeline.quality.verify.block_sample import Draw
from pipeline.quality.verify.faults import Faults
from pipeline.store import check_arrays, overviews
from pipeline.store.files import Files
from pipeline.store.ledger import EMPTY, Ledger, check, chunk_keys, vanished
from pipeline.store.lifecycle import open_layer

OUTSIDE = "the block lies outside source.aoi"
REMEMBERED = 2**12
"""Blocks of which is remembered whether they are asked for."""
_PLACE = re.compile(r"(?:\d+[./])*(\d+)[./](\d+)")
"""Row and column of a chunk, after its class where it has one."""

Tell = Callable[[int, int], None]
"""Told of the blocks that were looked at, and of all there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Blocks of one level of a store."""

    level: int
    count: int
    blocks: Callable[[], Iterator[BlockIndex]]
    """All that must be committed."""
    window: Callable[[BlockIndex], Window]
    """The pixels that a block owns."""
    side: int
    """Of a block, px."""
    asked: Callable[[BlockIndex], bool] | None
    """Whether a block must be committed; None where all must."""


@dataclass(slots=True)
class Coverage:
    """What was found of the blocks of all levels."""

    blocks: int = 0
    committed: int = 0
    chunks: int = 0
    """Files of chunks or shards that were read and decoded."""
    missing: int = 0
    """Blocks of the full resolution without a record."""
    faults: Faults = field(default_factory=Faults)
    draws: list[Draw] = field(default_factory=list)
    """Blocks of each level that may be looked at more closely, by level."""


def cover(job: Job, tell: Tell = lambda done, total: None, draw: int = 0, rng: Random | None = None) -> Coverage:
    """Read every chunk of a store once for its checksum and once through Zarr; one strip of chunks is held at a time.

    Parameters
    ----------
    job
        Of the store.
    tell
        Told of every block.
    draw, rng
        So many blocks of each level with data, and as many without, are drawn on the way.
    """
    found, levels = Coverage(), list(levels_of(job))
    total, rng = sum(level.count for level in levels), rng or Random(0)
    for level in levels:
        failures = Ledger(job.path, level.level).failures()
        found.draws.append(Draw.of(draw, rng))
        layers = _sound(job, level.level, found)
        for index in level.blocks():
            _look(job.path, layers, level, index, failures, found)
            tell(found.blocks, total)
        if level.asked is not None:
            for layer in layers:
                _beyond(job, level, level.asked, layer, found)
    return found


def levels_of(job: Job) -> Iterator[Level]:
    """Full resolution, then the overviews."""
    task, side = job.task, job.plan.tiles.block
    area, layout = task.area, task.layout
    asked = None if area is None else functools.lru_cache(maxsize=REMEMBERED)(lambda index: bool(area.touches([layout.window(index)])[0]))
    yield Level(level=0, count=job.blocks, blocks=task.blocks, window=layout.window, side=side, asked=asked)
    for over in overviews.levels(job.path, job.spec, side if area else None):
        due = None if over.due is None else (lambda index, due=over.due: (index.row, index.col) in due)
        yield Level(level=over.task.level, count=over.count, blocks=over.blocks, window=over.task.window, side=job.spec.overview_block, asked=due)


def _sound(job: Job, level: int, found: Coverage) -> tuple[str, ...]:
    """Layers of a level whose arrays are as they should be; the others are faults."""
    wrong = list(check_arrays.wrong(job.path, job.spec, level))
    for _, why in wrong:
        found.faults.add(level, None, why)
    return tuple(layer for layer in job.spec.layers if layer not in dict(wrong))


def _look(store: Place, layers: tuple[str, ...], level: Level, index: BlockIndex, failures: dict[tuple[int, int], str], found: Coverage) -> None:
    block = (index.row, index.col)
    found.blocks += 1
    try:
        record = Ledger(store, level.level).record(block)
    except StoreError:
        found.faults.add(level.level, block, "its commit record cannot be read")
        return
    if record is None:
        found.missing += level.level == 0
        found.faults.add(level.level, block, f"not committed ({failures[block]})" if block in failures else "not committed")
        return
    found.committed += 1
    window, kept = level.window(index), record["chunks"]
    found.draws[level.level].add(index, kept, EMPTY)
    keys = [key for layer in layers for key in chunk_keys(store, level.level, layer, window)]
    wrong = _wrong(store, keys, kept) or [why for layer in layers for why in _unreadable(store, level.level, layer, window)]
    found.chunks += sum(1 for key in keys if kept.get(key) not in (None, EMPTY))
    for why in wrong:
        found.faults.add(level.level, block, why)


def _beyond(job: Job, level: Level, asked: Callable[[BlockIndex], bool], layer: str, found: Coverage) -> None:
    """Chunks of blocks that nobody asked for; files are listed one at a time."""
    folder = f"{level.level}/{layer}" + ("/c" if job.spec.zarr_format == 3 else "")
    for key in Files(job.path).list(folder):
        place = _PLACE.fullmatch(key.removeprefix(f"{folder}/"))
        if not place:
            continue
        index = BlockIndex(*(int(number) * job.spec.unit // level.side for number in place.groups()))
        if not asked(index):
            found.faults.add(level.level, (index.row, index.col), f"chunk {key} is there, though {OUTSIDE}")


def _wrong(store: Place, keys: list[str], kept: dict[str, str]) -> list[str]:
    """Chunks that are not as they were recorded, in words."""
    unknown = [f"the record does not know chunk {key}" for key in keys if key not in kept]
    gone = set(vanished(store, {"chunks": kept}))
    return unknown + [f"chunk {key} is gone" if key in gone else f"chunk {key} is not what was committed" for key in check(store, {"chunks": kept})]


def _unreadable(store: Place, level: int, layer: str, window: Window) -> Iterator[str]:
    array = open_layer(store, level, layer)
    for rows in cut(window.height, (array.shards or array.chunks)[-2]):
        strip = Window(row=window.row + rows.start, col=window.col, height=rows.size, width=window.width)
        try:
            array[(..., *strip.slices)]
        except Exception as error:  # a codec raises what it likes
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            yield f"{layer} cannot be read at {strip}: {said[:120]}"
