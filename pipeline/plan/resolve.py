"""From what is asked for and what was measured to one resolved plan."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pipeline.errors import ConfigError, PlanError
from pipeline.plan import memory
from pipeline.plan.halo import HaloDecision
from pipeline.plan.layout import BlockIndex, Layout
from pipeline.plan.tiling import HaloTiling, LatticeTiling
from pipeline.raster.span import round_down, round_up

PAYS = 14
"""Core per px of halo at which halos cost 1.3 times the arithmetic."""
SMALL, LARGE = 1024, 3072
"""Limits of a core that ``auto`` chooses, px."""
BLENDED = 512
"""Tile size of a blended network that says nothing of its training size, px."""
SHARD_FROM = 4096
"""Chunks from which ``shard: auto`` groups them in shards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the config asks for and the machine allows, stripped of everything else."""

    height: int
    width: int
    tile: Literal["auto"] | int
    overlap: Literal["auto"] | float
    taper: Literal["auto", "flat", "linear", "hann", "gaussian"]
    blend: Literal["logits", "probabilities"]
    block: Literal["auto"] | int
    chunk: int
    shard: Literal["auto", "none"] | int
    multiple: int
    """The stride and what the network's file asks for, px."""
    minimum: int
    maximum: int | None
    training_size: int | None
    halo: HaloDecision
    costs: memory.Costs
    budget: int
    """Bytes."""
    workers: int
    """Blocks in flight at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """The resolved geometry: fixed when the store is created, reused by every resume."""

    height: int
    width: int
    block: int
    chunk: int
    shard: int | None
    multiple: int
    minimum: int
    halo: int | None
    core: int
    """Longest core (halo), px; 0 where blended."""
    size: int
    """Longest tile, px."""
    step: int
    """Distance of tiles where blended, px; else 0."""
    taper: str
    blend: str
    exact: bool
    why: str

    def layout(self) -> Layout:
        """The blocks and tiles."""
        return Layout(height=self.height, width=self.width, block=self.block, rows=self._axis(self.height), cols=self._axis(self.width))

    def _axis(self, length: int) -> HaloTiling | LatticeTiling:
        if self.halo is None:
            return LatticeTiling(length=length, multiple=self.multiple, size=self.size, step=self.step)
        core = max(self.core, round_up(length, self.multiple)) if round_up(length, self.multiple) <= self.size else self.core
        return HaloTiling(length=length, multiple=self.multiple, halo=self.halo, core=core, minimum=self.minimum)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the store."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that was decided, and what it costs."""

    tiles: Tiles
    costs: memory.Costs
    budget: int
    """Bytes."""
    workers: int
    """Blocks in flight."""
    buffers: dict[str, int] = field(default_factory=dict)
    """Projected peak memory by buffer, bytes."""

    @property
    def peak(self) -> int:
        """Projected peak memory, bytes."""
        return sum(self.buffers.values())


def resolve(wish: Wish) -> Plan:
    """Choose the tiles and blocks that fit the budget and cost least arithmetic.

    Raises
    ------
    ConfigError
        A size that leaves no core, or a block that is no whole number of chunks and shards.
    PlanError
        Nothing fits the memory; the message says what would.
    """
    smallest: Plan | None = None
    for tiles in sorted(_candidates(wish), key=_effort):
        plan = staff(tiles, wish.costs, wish.budget, wish.workers)
        if plan.peak <= wish.budget:
            return plan
        if smallest is None or plan.peak < smallest.peak:
            smallest = plan
    assert smallest is not None, "there is always a candidate"
    raise PlanError(over_budget(smallest))


def staff(tiles: Tiles, costs: memory.Costs, budget: int, workers: int) -> Plan:
    """As many blocks in flight as fit, at least one."""
    for count in range(workers, 0, -1):
        buffers = memory.projected(costs, workers=count, **_largest(tiles))
        if sum(buffers.values()) <= budget:
            break
    return Plan(tiles=tiles, costs=costs, budget=budget, workers=count, buffers=buffers)


def _effort(tiles: Tiles) -> tuple[float, int]:
    """What a candidate costs: arithmetic first, and among equals the larger block reads fewer pixels twice."""
    return round(tiles.layout().work(), 2), -tiles.block


def _largest(tiles: Tiles) -> dict[str, int]:
    """Pixels of the largest tile, frame, block and accumulator."""
    layout = tiles.layout()
    rows, cols = layout.shape
    probe = {BlockIndex(r, c) for r in {0, rows // 2, rows - 1} for c in {0, cols // 2, cols - 1}}
    block = max(layout.window(index).pixels for index in probe)
    return {
        "tile": max(tile.read.pixels for index in probe for tile in layout.tiles(index)),
        "frame": max(layout.frame(index).pixels for index in probe),
        "block": block,
        "accumulator": block if tiles.halo is None else 0,
    }


def _candidates(wish: Wish) -> Iterator[Tiles]:
    for core in _cores(wish):
        for block, shard in _blocks(wish, core):
            yield _tiles(wish, core, block, shard)


def _cores(wish: Wish) -> Iterator[int]:
    """Longest cores (or tile sizes where blended), best first."""
    halo = wish.halo.halo
    if halo is None:
        yield _blend_size(wish)
    elif wish.tile != "auto" or (wish.maximum is not None and wish.maximum == wish.minimum):
        size = wish.maximum if wish.tile == "auto" and wish.maximum is not None else wish.tile
        assert isinstance(size, int)
        yield _given_core(wish, size, halo)
    else:
        yield from _shrinking(wish, halo)


def _shrinking(wish: Wish, halo: int) -> Iterator[int]:
    core = min(max(PAYS * halo, SMALL), LARGE)
    if wish.maximum is not None:
        core = min(core, _given_core(wish, wish.maximum, halo))
    core = min(core, max(wish.height, wish.width))
    core = max(round_up(core, wish.multiple) if wish.maximum is None else round_down(core, wish.multiple), wish.multiple)
    while core > wish.multiple:
        yield core
        core = round_down(core * 3 // 4, wish.multiple)
    yield wish.multiple


def _given_core(wish: Wish, size: int, halo: int) -> int:
    if wish.maximum is not None and size > wish.maximum:
        raise ConfigError(f"tile.size is {size}, but the network takes at most {wish.maximum} px. Give at most that, or auto.")
    core = round_down(size - 2 * halo, wish.multiple)
    uncut = max(round_up(wish.height, wish.multiple), round_up(wish.width, wish.multiple)) <= size
    if core < wish.multiple and not uncut:
        raise ConfigError(
            f"tile.size {size} leaves no core beside a halo of {halo} px on each side; the smallest that does is "
            f"{2 * halo + wish.multiple}. Raise tile.size, leave it auto, or give a smaller tile.halo."
        )
    return max(core, wish.multiple)


def _blend_size(wish: Wish) -> int:
    size = wish.tile if wish.tile != "auto" else wish.training_size or wish.maximum or BLENDED
    size = max(round_up(size, wish.multiple), round_up(wish.minimum, wish.multiple))
    return min(size, wish.maximum or size)


def _blocks(wish: Wish, core: int) -> Iterator[tuple[int, int | None]]:
    """Blocks of whole chunks and shards, and the shard, largest first."""
    shard = _shard(wish)
    unit = shard or wish.chunk
    if wish.block != "auto":
        if wish.block % unit:
            kind = "shards" if shard else "chunks"
            raise ConfigError(f"output.block {wish.block} is not a whole number of {kind} of {unit} px. Give a multiple of {unit}, or auto.")
        yield wish.block, shard
        return
    whole = round_up(max(wish.height, wish.width), unit)
    block = min(max(round_down(max(core, SMALL), unit), unit), whole)
    while block > unit:
        yield block, shard
        block = max(round_down(block // 2, unit), unit)
    yield unit, shard


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
        lost = round(core * overlap) if overlap < 1 else int(overlap)
        step = max(round_down(core - lost, wish.multiple), 0)
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
        exact=wish.halo.exact, why=wish.halo.why,
    )  # fmt: skip


def over_budget(plan: Plan) -> str:
    """Why a plan is refused, and what would fit."""
    parts = ", ".join(f"{name} {memory.human(size)}" for name, size in plan.buffers.items())
    return (
        f"The plan needs {memory.human(plan.peak)} of memory at least, but execution.memory allows {memory.human(plan.budget)} ({parts}; "
        f"tile {plan.tiles.size} px, block {plan.tiles.block} px, {plan.workers} in flight). Raise execution.memory to "
        f"{math.ceil(plan.peak / memory.MIB)}MiB or more, or ask for smaller tiles or blocks, or a smaller halo."
    )
