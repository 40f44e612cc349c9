"""From what is asked for and what was measured to one resolved plan."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from pipeline.errors import PlanError
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.read_sharing import DECODED_PX, Sharing, share, unit_of
from pipeline.planning import memory
from pipeline.planning.candidates import candidates, roomy
from pipeline.planning.types import HERE, Hands, Plan, Tiles, Wish
from pipeline.runtime.resources import MIB, human

IN_FLIGHT = 4
"""Blocks that are kept in flight where nothing is said: one read, one inferred, one written, and one to spare; one more for each further tile at once."""
SPARE = 1 / 3
"""Share of the budget that a plan may take with larger tiles than halos demand."""
WORTH = 1.03
"""By what arithmetic must shrink for such tiles."""
SEVERAL = 2 / 3
"""Share of the budget that a plan may take with several tiles at once."""
ROUNDS = 3
"""Blocks for each of them, from which that pays: for fewer, laying out the memory and the first and last blocks take what is gained."""
FEW = 16
"""Rounds of tiles at once, from which it does not matter that the last of them is not full."""
LOST = 0.1
"""What doubling the threads of a tile costs, as a share of its time: layers wait for the slowest of them, and some have work for one only. Two were seen to
cost 0.07–0.12, four 0.1–0.35."""


def resolve(wish: Wish) -> Plan:
    """Choose the tiles and blocks that fit the budget and the device and cost least arithmetic.

    What fits no device is tried with the smallest of them: projections are the most that may be needed, and a run halves tiles (or batches, where
    they are blended) that do not fit.

    Raises
    ------
    ConfigError
        A size that leaves no core, or a block that is no whole number of chunks and shards.
    PlanError
        Nothing fits the memory; the message says what would.
    """
    tight: list[Plan] = []
    over: list[Plan] = []
    choices = [choice for choice in product(candidates(wish), wish.streams) if _pays(wish, *choice)]
    for tiles, streams in sorted(choices, key=lambda choice: _effort(wish, *choice)):
        plan = _staffed(tiles, wish.costs, wish.budget, wish.workers, wish.source_block, replace(wish.hands, streams=streams))
        if plan.peak > wish.budget * _share(wish, tiles, streams):
            over.append(plan)
        elif plan.fits_device:
            return plan
        else:
            tight.append(plan)
    if tight:
        return min(tight, key=lambda plan: sum(plan.on_device.values()))
    raise PlanError(over_budget(min(over, key=lambda plan: plan.peak)))


def staff(tiles: Tiles, costs: memory.Costs, budget: int, workers: int | None, source_block: tuple[int, int], hands: Hands = HERE) -> Plan:
    """As many tiles at once and blocks in flight as fit, at least one in each process; then what they share, as far as it fits beside them.

    Parameters
    ----------
    tiles
        The geometry.
    costs
        Bytes per pixel.
    budget
        Bytes.
    workers
        Blocks in flight at most, in each process; None for as many as are of use.
    source_block
        (rows, cols) of the file's own blocks, px.
    hands
        The processes that share the budget.
    """
    made = (_staffed(tiles, costs, budget, workers, source_block, replace(hands, streams=streams)) for streams in range(hands.streams, 0, -1))
    return next(plan for plan in made if plan.peak <= budget or plan.hands.streams == 1)


def _staffed(tiles: Tiles, costs: memory.Costs, budget: int, workers: int | None, source_block: tuple[int, int], hands: Hands) -> Plan:
    """The same with as many tiles at once as are given."""
    each, room, largest = (budget - hands.apart) // hands.processes, hands.device or 0, _largest(tiles)
    tensors = memory.on_device(costs, largest.tile, largest.accumulator, tiles.turned, tiles.averages_probabilities, hands.streams)
    for count in range(workers or IN_FLIGHT - 1 + hands.streams, 0, -1):
        buffers = memory.projected(costs, frame=largest.frame, block=largest.block, workers=count)
        here, there = _parted(tensors, count * memory.carried(costs, largest.frame, largest.block), hands)
        buffers |= here
        if sum(buffers.values()) <= each and (sum(there.values()) <= room or sum(tensors.values()) > room):
            break
    shared = _shared(tiles, costs, each - sum(buffers.values()) if hands.together else 0, count, source_block)
    buffers |= memory.sharing(costs, held=shared.held, decoding=shared.decoding, workers=count)
    return Plan(
        tiles=tiles, costs=costs, budget=budget, workers=count, buffers=memory.tree(buffers, hands.processes, hands.apart),
        on_device=there, sharing=shared, hands=hands,
    )  # fmt: skip


def _parted(tensors: dict[str, int], carried: int, hands: Hands) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes by buffer in the process and on its device, where that has memory of its own, of tensors and of blocks that are carried to and fro."""
    if hands.device is None:
        return tensors, {}
    return {"page-locked copies": carried * memory.LOCKED_FACTOR}, tensors | {"blocks in flight": carried}


def _shared(tiles: Tiles, costs: memory.Costs, room: int, workers: int, source_block: tuple[int, int]) -> Sharing:
    """What is decoded once within what is left of the budget."""
    rows, cols = unit_of(source_block, tiles.height, tiles.width)
    decoding = max(DECODED_PX, rows * cols) * costs.raw * workers
    return share(tiles.layout(), source_block, costs.kept, room - decoding, workers)


def _share(wish: Wish, tiles: Tiles, streams: int) -> float:
    """Of the budget, what a choice of ours may take: it is whole where nothing smaller would do."""
    return SEVERAL if streams > min(wish.streams) else SPARE if roomy(wish, tiles) else 1


def _pays(wish: Wish, tiles: Tiles, streams: int) -> bool:
    return streams == min(wish.streams) or wish.count(tiles.layout(), ROUNDS * streams) >= ROUNDS * streams


def _effort(wish: Wish, tiles: Tiles, streams: int) -> tuple[float, int]:
    """What a candidate costs: time for arithmetic first, and among equals the larger block reads fewer pixels twice."""
    layout = tiles.layout()
    count = max(wish.count(layout, FEW * streams), 1)
    idle = math.ceil(count / streams) * streams / count  # the last blocks leave some without
    threads = max(wish.cores // streams, 1)
    return round(layout.work() * idle * (1 + LOST * math.log2(threads)) * (WORTH if roomy(wish, tiles) else 1), 2), -tiles.block


class _Largest(NamedTuple):
    """Pixels of the largest of each."""

    tile: int
    """Or batch of them."""
    frame: int
    block: int
    accumulator: int


def _largest(tiles: Tiles) -> _Largest:
    layout = tiles.layout()
    rows, cols = layout.shape
    probe = {BlockIndex(r, c) for r in {0, rows // 2, rows - 1} for c in {0, cols // 2, cols - 1}}
    windows = [layout.window(index) for index in probe]
    return _Largest(
        tile=max(tile.read.pixels for index in probe for tile in layout.tiles(index)) * tiles.batch,
        frame=max(layout.frame(index).pixels for index in probe),
        block=max(window.pixels for window in windows),
        accumulator=max(min(window.height, tiles.size) * window.width for window in windows) if tiles.halo is None else 0,
    )


def over_budget(plan: Plan) -> str:
    """Why a plan is refused, and what would fit."""
    parts = ", ".join(f"{name} {human(size)}" for name, size in plan.buffers.items())
    return (
        f"The plan needs {human(plan.peak)} of memory at least, but execution.memory allows {human(plan.budget)} ({parts}; "
        f"tile {plan.tiles.size} px, block {plan.tiles.block} px, {plan.workers} in flight{_each(plan)}). Raise execution.memory to "
        f"{math.ceil((plan.peak + memory.SPARE) / MIB)}MiB or more, or ask for smaller tiles or blocks, or a smaller halo."
    )


def _each(plan: Plan) -> str:
    return f" in each of {plan.hands.processes} processes" if plan.hands.processes > 1 else ""
