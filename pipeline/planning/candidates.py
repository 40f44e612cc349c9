"""Tiles and blocks that a wish allows, before anyone asks what they cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from pipeline.errors import ConfigError
from pipeline.geometry.span import round_down, round_up
from pipeline.planning.types import Tiles, Wish

PAYS = 14
"""Core per px of halo at which halos cost 1.3 times the arithmetic."""
ROOMY = 18
"""The same for 1.23 times, in nearly twice the memory."""
MANY = 9
"""Blocks from which that pays: for fewer, laying out the memory takes as long as the arithmetic that it saves."""
SMALL, LARGE = 1024, 3072
"""Limits of a core that ``auto`` chooses, px."""
TINY = 64
"""Core below which memory gains nothing, px."""
BLENDED = 512
"""Tile size of a blended network that says nothing of its training size, px."""
RECOMPUTED = 0.1
"""Share of the arithmetic that blended blocks may spend on tiles which straddle them, where memory allows."""
SHARD_FROM = 4096
"""Chunks from which ``shard: auto`` groups them in shards."""


def candidates(wish: Wish) -> Iterator[Tiles]:
    """All that may be chosen from; raises ConfigError where what is asked for cannot be."""
    for core in _cores(wish):
        shard = _shard(wish)
        whole = round_up(max(wish.height, wish.width), shard or wish.chunk)
        largest = _blended_block(_tiles(wish, core, whole, shard)) if wish.halo.halo is None else max(core, SMALL)
        for block in _blocks(wish, largest, shard):
            tiles = _tiles(wish, core, block, shard)
            if not roomy(wish, tiles) or wish.count(tiles.layout(), MANY) >= MANY:
                yield tiles


def _cores(wish: Wish) -> Iterator[int]:
    """Longest cores (or tile sizes where blended), best first."""
    halo = wish.halo.halo
    if halo is None:
        asked = wish.tile if wish.tile != "auto" else wish.training_size or wish.maximum or BLENDED
        yield blend_size(asked, wish.multiple, wish.minimum, wish.maximum)
    elif wish.tile != "auto" or _fixed(wish):
        size = wish.maximum if wish.tile == "auto" and wish.maximum is not None else wish.tile
        assert isinstance(size, int)
        yield _given_core(wish, size, halo)
    else:
        yield from _shrinking(wish, halo)


def roomy(wish: Wish, tiles: Tiles) -> bool:
    """Whether tiles of our choice are larger than halos alone demand."""
    halo = tiles.halo
    return wish.tile == "auto" and halo is not None and not _fixed(wish) and tiles.core > _fitted(wish, _paying(halo), halo)


def _fixed(wish: Wish) -> bool:
    """Whether the network takes one size only."""
    return wish.maximum is not None and wish.maximum == wish.minimum


def _shrinking(wish: Wish, halo: int) -> Iterator[int]:
    core = _fitted(wish, _paying(halo), halo)
    unit = _shard(wish) or wish.chunk  # blocks are whole ones, and would cut it
    wide = _fitted(wish, min(round(ROOMY * halo / unit) * unit, LARGE), halo)
    if wide > core:
        yield wide
    smallest = min(core, round_up(TINY, wish.multiple))
    while core > smallest:
        yield core
        core = round_down(core * 3 // 4, wish.multiple)
    yield smallest


def _paying(halo: int) -> int:
    return min(max(PAYS * halo, SMALL), LARGE)


def _fitted(wish: Wish, core: int, halo: int) -> int:
    """A core of about so many px that the raster, the network and its stride allow."""
    if wish.maximum is not None:
        core = min(core, _given_core(wish, wish.maximum, halo))
    core = min(core, max(wish.height, wish.width))
    return max(round_up(core, wish.multiple) if wish.maximum is None else round_down(core, wish.multiple), wish.multiple)


def _given_core(wish: Wish, size: int, halo: int) -> int:
    if wish.maximum is not None and size > wish.maximum:
        raise ConfigError(f"tile.size is {size}, but the network takes at most {wish.maximum} px. Give at most that, or auto.")
    core = round_down(size - 2 * halo, wish.multiple)
    uncut = wish.whole <= size
    if core < wish.multiple and not uncut:
        raise ConfigError(
            f"tile.size {size} leaves no core beside a halo of {halo} px on each side; the smallest that does is "
            f"{2 * halo + wish.multiple}. Raise tile.size, leave it auto, or give a smaller tile.halo."
        )
    return max(core, wish.multiple)


def blend_size(asked: int, multiple: int, minimum: int, maximum: int | None) -> int:
    """Size of blended tiles, px, where so many are asked for."""
    size = max(round_up(asked, multiple), round_up(minimum, multiple))
    return min(size, maximum or size)


def blend_step(size: int, overlap: float, multiple: int) -> int:
    """Distance of blended tiles, px, for an overlap in px or as a fraction below 1; 0 where it leaves none."""
    lost = round(size * overlap) if overlap < 1 else int(overlap)
    return max(round_down(size - lost, multiple), 0)


def _blended_block(whole: Tiles) -> int:
    """The smallest block of a raster that is not whole by itself, px, whose straddling tiles cost little."""
    unit, one = whole.shard or whole.chunk, whole.layout()
    blocks = range(unit, whole.block, unit)
    return next((block for block in blocks if replace(one, block=block).recomputed() <= RECOMPUTED), whole.block)


def _blocks(wish: Wish, largest: int, shard: int | None) -> Iterator[int]:
    """Blocks of whole chunks and shards, largest first."""
    unit = shard or wish.chunk
    if wish.block != "auto":
        if wish.block % unit:
            kind = "shards" if shard else "chunks"
            raise ConfigError(f"output.block {wish.block} is not a whole number of {kind} of {unit} px. Give a multiple of {unit}, or auto.")
        yield wish.block
        return
    whole = round_up(max(wish.height, wish.width), unit)
    block = min(max(round_down(largest, unit), unit), whole)
    while block > unit:
        yield block
        block = max(round_down(block // 2, unit), unit)
    yield unit


def _shard(wish: Wish) -> int | None:
    if wish.shard == "none":
        return None
    if wish.shard != "auto":
        if wish.shard % wish.chunk:
            raise ConfigError(f"output.shard {wish.shard} is not a whole number of chunks of {wish.chunk} px. Give a multiple of it, auto or none.")
        return wish.shard
    chunks = math.ceil(wish.height / wish.chunk) * math.ceil(wish.width / wish.chunk)
    if chunks < SHARD_FROM or (wish.block != "auto" and wish.block < 2 * wish.chunk):
        return None
    if wish.block != "auto":
        return wish.block
    return wish.chunk * max(1, 2048 // wish.chunk)


def _tiles(wish: Wish, core: int, block: int, shard: int | None) -> Tiles:
    halo = wish.halo.halo
    overlap = 0.5 if wish.overlap == "auto" else wish.overlap
    step = 0
    if halo is None:
        step = blend_step(core, overlap, wish.multiple)
        if step == 0:
            raise ConfigError(f"tile.overlap {overlap} leaves no step between tiles of {core} px. Give a smaller overlap or larger tiles.")
    taper = wish.taper if wish.taper != "auto" else "hann" if halo is None else "flat"
    size = core if halo is None else max(core + 2 * halo, round_up(wish.minimum, wish.multiple))
    if halo is not None and isinstance(wish.tile, int):
        size = max(wish.tile, size)
    if halo is not None and wish.tile == "auto":
        core = min(core, round_up(block, wish.multiple) + (wish.multiple if block % wish.multiple else 0))
        size = max(core + 2 * halo, round_up(wish.minimum, wish.multiple))
    return Tiles(
        height=wish.height, width=wish.width, block=block, chunk=wish.chunk, shard=shard, multiple=wish.multiple, minimum=wish.minimum,
        halo=halo, core=0 if halo is None else core, size=size, step=step, taper=taper, blend=wish.blend,
        exact=wish.halo.exact, why=wish.halo.why, batch=wish.batch if halo is None else 1, augment=wish.augment, tolerated=wish.halo.tolerated,
        pad=wish.pad, near=wish.near, far=wish.far,
    )  # fmt: skip
