"""Whether everything is there.

A record for each block of each level, and each chunk as it was recorded and readable.
"""

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
from pipeline.quality.verify.block_sample import BlockSample
from pipeline.quality.verify.faults import Faults
from pipeline.store import check_arrays, overviews
from pipeline.store.files import files_at
from pipeline.store.instances import published_instances
from pipeline.store.layers import DERIVED_LAYERS, array_key
from pipeline.store.ledger import ABSENT_CHUNK, Ledger, changed_chunks, chunk_keys, missing_chunks
from pipeline.store.lifecycle import open_layer
from pipeline.store.spec import StoreSpec

OUTSIDE = "the block lies outside source.aoi or source.only"
CACHED_BLOCKS = 2**12
"""Blocks of which is remembered whether they are asked for."""
_CHUNK_KEY = re.compile(r"(?:\d+[./])*(\d+)[./](\d+)")
"""Row and column of a chunk, after its class where it has one."""

BlockCallback = Callable[[int, int], None]
"""Told of the blocks that were looked at, and of all there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelBlocks:
    """Blocks of one level of a store."""

    level: int
    count: int
    blocks: Callable[[], Iterator[BlockIndex]]
    """All that must be committed."""
    window: Callable[[BlockIndex], Window]
    """The pixels that a block owns."""
    side: int
    """Of a block, px."""
    spec: StoreSpec
    """Of the layers that the blocks' records speak of."""
    is_requested: Callable[[BlockIndex], bool] | None
    """Whether a block must be committed; None where all must."""

    @property
    def derived_layer(self) -> str | None:
        """The layer, where it is derived of others and has records of its own."""
        layer = self.spec.main_layer
        return layer if layer in DERIVED_LAYERS else None

    @property
    def is_derived(self) -> bool:
        """Whether it is a level of a derived layer."""
        return self.derived_layer is not None


@dataclass(slots=True)
class CoverageResult:
    """What was found of the blocks of all levels."""

    blocks: int = 0
    committed: int = 0
    chunks: int = 0
    """Files of chunks or shards that were read and decoded."""
    missing: int = 0
    """Blocks of the full resolution without a record."""
    faults: Faults = field(default_factory=Faults)
    samples: list[BlockSample] = field(default_factory=list)
    """Blocks of each level that may be looked at more closely, by level."""


def check_coverage(
    job: Job, callback: BlockCallback = lambda done, total: None, sample_size: int = 0, rng: Random | None = None
) -> CoverageResult:
    """Read every chunk of a store once for its checksum and once through Zarr; one strip of chunks is held at a time.

    Parameters
    ----------
    job
        Of the store.
    callback
        Told of every block.
    sample_size, rng
        So many blocks of each level with data, and as many without, are drawn on the way.
    """
    coverage, levels = CoverageResult(), list(levels_of(job))
    total, rng = sum(level.count for level in levels), rng or Random(0)
    for level in levels:
        failures = _ledger(job.path, level).failures()
        if not level.is_derived:
            coverage.samples.append(BlockSample.of(sample_size, rng))
        layers = _intact_layers(job, level, coverage)
        for index in level.blocks():
            _check_block(job.path, layers, level, index, failures, coverage)
            callback(coverage.blocks, total)
        if level.is_requested is not None:
            for layer in layers:
                _check_outside_aoi(job, level, level.is_requested, layer, coverage)
    return coverage


def levels_of(job: Job) -> Iterator[LevelBlocks]:
    """Full resolution, then the overviews; of the layers of the network, then of the derived ones."""
    yield from _levels_of(job, job.spec)
    if job.cleaning is not None:
        yield from _levels_of(job, job.spec.cleaned)
    if published_instances(job.path) is not None:
        yield from _levels_of(job, job.spec.instances)


def _levels_of(job: Job, spec: StoreSpec) -> Iterator[LevelBlocks]:
    task, side = job.task, job.plan.tiles.block
    area, layout = task.area, task.layout
    is_requested = (
        None
        if area is None
        else functools.lru_cache(maxsize=CACHED_BLOCKS)(lambda index: bool(area.touches([layout.window(index)])[0]))
    )
    yield LevelBlocks(
        level=0,
        count=job.blocks,
        blocks=task.blocks,
        window=layout.window,
        side=side,
        spec=spec,
        is_requested=is_requested,
    )
    for overview in overviews.levels(job.path, spec, side if area else None):
        required = (
            None
            if overview.selected is None
            else (lambda index, required=overview.selected: (index.row, index.col) in required)
        )
        yield LevelBlocks(
            level=overview.task.level,
            count=overview.count,
            blocks=overview.blocks,
            window=overview.task.window,
            side=job.spec.overview_block,
            spec=spec,
            is_requested=required,
        )


def _ledger(store: Place, level: LevelBlocks) -> Ledger:
    return Ledger(store, level.level, level.spec.main_layer)


def _intact_layers(job: Job, level: LevelBlocks, coverage: CoverageResult) -> tuple[str, ...]:
    """Layers of a level whose arrays are as they should be; the others are faults."""
    wrong = list(check_arrays.array_errors(job.path, level.spec, level.level))
    for _, reason in wrong:
        coverage.faults.add(level.level, None, reason, level.derived_layer)
    return tuple(layer for layer in level.spec.layers if layer not in dict(wrong))


def _check_block(
    store: Place,
    layers: tuple[str, ...],
    level: LevelBlocks,
    index: BlockIndex,
    failures: dict[tuple[int, int], str],
    coverage: CoverageResult,
) -> None:
    block = (index.row, index.col)
    coverage.blocks += 1
    try:
        record = _ledger(store, level).record(block)
    except StoreError:
        coverage.faults.add(level.level, block, "its commit record cannot be read", level.derived_layer)
        return
    if record is None:
        coverage.missing += level.level == 0 and not level.is_derived
        reason = f"not committed ({failures[block]})" if block in failures else "not committed"
        coverage.faults.add(level.level, block, reason, level.derived_layer)
        return
    coverage.committed += 1
    window, checksums = level.window(index), record["chunks"]
    if not level.is_derived:
        coverage.samples[level.level].add(index, checksums, ABSENT_CHUNK)
    keys = [key for layer in layers for key in chunk_keys(store, level.level, layer, window)]
    wrong = _changed_chunks(store, keys, checksums) or [
        reason for layer in layers for reason in _unreadable_layers(store, level.level, layer, window)
    ]
    coverage.chunks += sum(1 for key in keys if checksums.get(key) not in (None, ABSENT_CHUNK))
    for reason in wrong:
        coverage.faults.add(level.level, block, reason, level.derived_layer)


def _check_outside_aoi(
    job: Job, level: LevelBlocks, is_requested: Callable[[BlockIndex], bool], layer: str, coverage: CoverageResult
) -> None:
    """Chunks of blocks that nobody asked for; files are listed one at a time."""
    folder = array_key(level.level, layer) + ("/c" if job.spec.zarr_format == 3 else "")
    for key in files_at(job.path).list(folder):
        place = _CHUNK_KEY.fullmatch(key.removeprefix(f"{folder}/"))
        if not place:
            continue
        index = BlockIndex(*(int(number) * job.spec.storage_unit_px // level.side for number in place.groups()))
        if not is_requested(index):
            block, reason = (index.row, index.col), f"chunk {key} is there, though {OUTSIDE}"
            coverage.faults.add(level.level, block, reason, level.derived_layer)


def _changed_chunks(store: Place, keys: list[str], checksums: dict[str, str]) -> list[str]:
    """Chunks that are not as they were recorded, in words."""
    unknown = [f"the record does not know chunk {key}" for key in keys if key not in checksums]
    missing = set(missing_chunks(store, {"chunks": checksums}))
    return unknown + [
        f"chunk {key} is gone" if key in missing else f"chunk {key} is not what was committed"
        for key in changed_chunks(store, {"chunks": checksums})
    ]


def _unreadable_layers(store: Place, level: int, layer: str, window: Window) -> Iterator[str]:
    array = open_layer(store, level, layer)
    for rows in cut(window.height, (array.shards or array.chunks)[-2]):
        strip = Window(row=window.row + rows.start, col=window.col, height=rows.size, width=window.width)
        try:
            array[(..., *strip.slices)]
        except Exception as error:  # a codec raises what it likes
            message = (str(error).strip().splitlines() or [type(error).__name__])[0]
            yield f"{layer} cannot be read at {strip}: {message[:120]}"
