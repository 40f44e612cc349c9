"""Tiles and blocks that a wish allows, before anyone asks what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipeline.errors import ConfigError
from pipeline.geometry.span import round_down, round_up
from pipeline.planning.types import PlanRequest, TilePlan

CORE_PER_HALO = 14
"""Core per px of halo at which halos cost 1.3 times the arithmetic."""
LARGE_CORE_PER_HALO = 18
"""The same for 1.23 times, in nearly twice the memory."""
LARGE_TILE_MIN_BLOCKS = 9
"""Blocks from which that pays: for fewer, laying out the memory takes as long as the arithmetic that it saves."""
PRICED_TILE_MIN_BLOCKS = 4
"""The same where laying out the memory is a part of what tiles cost, as it is where halos are cropped."""
MIN_AUTO_CORE, MAX_AUTO_CORE = 1024, 3072
"""Limits of a core that ``auto`` chooses, px."""
CACHED_CORE = 512
"""Core of a network of single pixels on a CPU, px: what a tile passes through stays in the cache of a core."""
SMALLEST_CORE = 64
"""Core below which memory gains nothing, px."""
DEFAULT_BLEND_SIZE = 512
"""Tile size of a blended network that says nothing of its training size, px."""
MAX_RECOMPUTED_SHARE = 0.1
"""Share of the arithmetic that blended blocks may spend on tiles which straddle them, where memory allows."""
MIN_CHUNKS_TO_SHARD = 4096
"""Chunks that are asked for, from which ``shard: auto`` groups them in shards."""


def candidates(request: PlanRequest) -> Iterator[TilePlan]:
    """All that may be chosen from; raises ConfigError where what is asked for cannot be."""
    shard = _shard(request)
    for core in _cores(request, shard):
        whole = round_up(max(request.height, request.width), shard or request.chunk)
        largest = (
            _blended_block(_tiles(request, core, whole, shard))
            if request.halo.halo is None
            else max(core, MIN_AUTO_CORE)
        )
        for block in _blocks(request, largest, shard):
            tiles = _tiles(request, core, block, shard)
            least = LARGE_TILE_MIN_BLOCKS if request.cropped is None else PRICED_TILE_MIN_BLOCKS
            if not is_oversized(request, tiles) or request.count(tiles.layout(), least) >= least:
                yield tiles


def _cores(request: PlanRequest, shard: int | None) -> Iterator[int]:
    """Longest cores (or tile sizes where blended), best first."""
    halo = request.halo.halo
    if halo is None:
        requested = (
            request.tile if request.tile != "auto" else request.training_size or request.maximum or DEFAULT_BLEND_SIZE
        )
        yield blend_size(requested, request.multiple, request.minimum, request.maximum)
    elif request.tile != "auto" or _fixed(request):
        size = request.maximum if request.tile == "auto" and request.maximum is not None else request.tile
        assert isinstance(size, int)
        yield _given_core(request, size, halo)
    else:
        yield from _shrinking(request, halo, shard or request.chunk)


def is_oversized(request: PlanRequest, tiles: TilePlan) -> bool:
    """Whether tiles of our choice are larger than halos alone demand."""
    halo = tiles.halo
    return (
        request.tile == "auto"
        and halo is not None
        and not _fixed(request)
        and tiles.core > _fitted(request, _worthwhile_core(request, halo), halo)
    )


def _fixed(request: PlanRequest) -> bool:
    """Whether the network takes one size only."""
    return request.maximum is not None and request.maximum == request.minimum


def _shrinking(request: PlanRequest, halo: int, unit: int) -> Iterator[int]:
    """Cores from what is worth its memory down; blocks are whole units, and would cut a core that is not."""
    core = _fitted(request, _worthwhile_core(request, halo), halo)
    wide = _fitted(request, min(round(LARGE_CORE_PER_HALO * halo / unit) * unit, MAX_AUTO_CORE), halo)
    if wide > core:
        yield wide
    smallest = min(core, round_up(SMALLEST_CORE, request.multiple))
    while core > smallest:
        yield core
        core = round_down(core * 3 // 4, request.multiple)
    yield smallest


def _worthwhile_core(request: PlanRequest, halo: int) -> int:
    if request.pixelwise and halo == 0:
        return CACHED_CORE
    return min(max(CORE_PER_HALO * halo, MIN_AUTO_CORE), MAX_AUTO_CORE)


def _fitted(request: PlanRequest, core: int, halo: int) -> int:
    """A core of about so many px that the raster, the network and its stride allow."""
    if request.maximum is not None:
        core = min(core, _given_core(request, request.maximum, halo))
    core = min(core, max(request.height, request.width))
    return max(
        round_up(core, request.multiple) if request.maximum is None else round_down(core, request.multiple),
        request.multiple,
    )


def _given_core(request: PlanRequest, size: int, halo: int) -> int:
    if request.maximum is not None and size > request.maximum:
        raise ConfigError(
            f"tile.size is {size}, but the network takes at most {request.maximum} px. Give at most that, or auto."
        )
    core = round_down(size - 2 * halo, request.multiple)
    uncut = request.whole <= size
    if core < request.multiple and not uncut:
        raise ConfigError(
            f"tile.size {size} leaves no core beside a halo of {halo} px on each side; the smallest that does is "
            f"{2 * halo + request.multiple}. Raise tile.size, leave it auto, or give a smaller tile.halo."
        )
    return max(core, request.multiple)


def blend_size(requested: int, multiple: int, minimum: int, maximum: int | None) -> int:
    """Size of blended tiles, px, where so many are asked for."""
    size = max(round_up(requested, multiple), round_up(minimum, multiple))
    return min(size, maximum or size)


def blend_step(size: int, overlap: float, multiple: int) -> int:
    """Distance of blended tiles, px, for an overlap in px or as a fraction below 1; 0 where it leaves none."""
    overlap_px = round(size * overlap) if overlap < 1 else int(overlap)
    return max(round_down(size - overlap_px, multiple), 0)


def _blended_block(whole: TilePlan) -> int:
    """The smallest block of a raster that is not whole by itself, px, whose straddling tiles cost little."""
    unit, layout = whole.shard or whole.chunk, whole.layout()
    blocks = range(unit, whole.block, unit)
    return next(
        (block for block in blocks if replace(layout, block=block).blend_recompute_share() <= MAX_RECOMPUTED_SHARE),
        whole.block,
    )


def _blocks(request: PlanRequest, largest: int, shard: int | None) -> Iterator[int]:
    """Blocks of whole chunks and shards, largest first."""
    unit = shard or request.chunk
    if request.block != "auto":
        if request.block % unit:
            kind = "shards" if shard else "chunks"
            raise ConfigError(
                f"output.block {request.block} is not a whole number of {kind} of {unit} px. Give a "
                f"multiple of {unit}, or auto."
            )
        yield request.block
        return
    whole = round_up(max(request.height, request.width), unit)
    block = min(max(round_down(largest, unit), unit), whole)
    while block > unit:
        yield block
        block = max(round_down(block // 2, unit), unit)
    yield unit


def _shard(request: PlanRequest) -> int | None:
    if request.shard == "none":
        return None
    if request.shard != "auto":
        if request.shard % request.chunk:
            raise ConfigError(
                f"output.shard {request.shard} is not a whole number of chunks of {request.chunk} px. Give "
                f"a multiple of it, auto or none."
            )
        return request.shard
    if request.count_chunks(MIN_CHUNKS_TO_SHARD) < MIN_CHUNKS_TO_SHARD or (
        request.block != "auto" and request.block < 2 * request.chunk
    ):
        return None
    if request.block != "auto":
        return request.block
    return request.chunk * max(1, 2048 // request.chunk)


def _tiles(request: PlanRequest, core: int, block: int, shard: int | None) -> TilePlan:
    halo = request.halo.halo
    overlap = 0.5 if request.overlap == "auto" else request.overlap
    step = 0
    if halo is None:
        step = blend_step(core, overlap, request.multiple)
        if step == 0:
            raise ConfigError(
                f"tile.overlap {overlap} leaves no step between tiles of {core} px. Give a smaller overlap "
                f"or larger tiles."
            )
    taper = request.taper if request.taper != "auto" else "hann" if halo is None else "flat"
    size = core if halo is None else max(core + 2 * halo, round_up(request.minimum, request.multiple))
    if halo is not None and isinstance(request.tile, int):
        size = max(request.tile, size)
    if halo is not None and request.tile == "auto":
        core = min(core, round_up(block, request.multiple) + (request.multiple if block % request.multiple else 0))
        size = max(core + 2 * halo, round_up(request.minimum, request.multiple))
    # blended tiles: as much of the mirror image as a tile shares with the next
    apron = (round_up(size - step, request.multiple),) * 2 if halo is None and request.pad != "none" else None
    return TilePlan(
        height=request.height,
        width=request.width,
        block=block,
        chunk=request.chunk,
        shard=shard,
        multiple=request.multiple,
        minimum=request.minimum,
        halo=halo,
        core=0 if halo is None else core,
        size=size,
        step=step,
        taper=taper,
        blend=request.blend,
        exact=request.halo.exact,
        why=request.halo.reason,
        batch=request.batch if halo is None else 1,
        augment=request.augment,
        tolerated=request.halo.tolerated,
        pad=request.pad,
        near=request.near if apron is None else apron,
        far=request.far if apron is None else apron,
    )
