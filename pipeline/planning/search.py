"""From what is asked for and what was measured to one resolved plan."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import PlanError
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.read_sharing import DECODED_PX, ReadSharing, plan_read_sharing, unit_of
from pipeline.planning import memory
from pipeline.planning.candidates import candidates, is_oversized
from pipeline.planning.tile_cost import cropping_cost, tile_cost
from pipeline.planning.types import ONE_PROCESS, Plan, PlanRequest, QuickerTiles, TilePlan, WorkerLayout
from pipeline.runtime.memory_constants import PAGE_LOCKED_FACTOR, PROPOSAL_MARGIN
from pipeline.runtime.resources import MIB, human

if TYPE_CHECKING:
    from pipeline.models.cropping.plan import Cropping

IN_FLIGHT = 4
"""Blocks that are kept in flight where nothing is said: one read, one inferred, one written, and one to spare; one more
for each further tile at once."""
LARGE_TILE_BUDGET_SHARE = 1 / 3
"""Share of the budget that a plan may take with larger tiles than halos demand."""
CONCURRENT_BUDGET_SHARE = 2 / 3
"""Share of the budget that a plan may take with several tiles at once."""
MIN_BLOCKS_PER_STREAM = 3
"""Blocks for each of them, from which that pays: for fewer, laying out the memory and the first and last blocks take
what is gained."""
FRUGAL_COST = 1.06
"""Times the least cost that tiles of less memory may cost, where halos are cropped."""
FRUGAL_PEAK = 0.9
"""Share of the peak of the quickest tiles, below which such tiles are taken: less is not worth smaller ones."""
FRUGAL_SAVING = 2**28
"""Bytes that they save at the least."""
MIN_CONCURRENT_PX = 2**22
"""Pixels of a raster from which several tiles at once pay. Below, no choice of blocks changes the threads of a tile,
and with them ties."""


def search_plan(request: PlanRequest) -> Plan:
    """Choose the tiles and blocks that fit the budget and the device and cost least arithmetic.

    What fits no device is tried with the smallest of them: projections are the most that may be needed, and a run
    halves tiles (or batches, where they are blended) that do not fit.

    Raises
    ------
    ConfigError
        A size that leaves no core, or a block that is no whole number of chunks and shards.
    PlanError
        Nothing fits the memory; the message says what would.
    """
    tried = _Tried()
    tried.try_all(request)
    if tried.fitting:
        return _frugal(tried.fitting)
    if tried.tight:
        return min(tried.tight, key=lambda plan: sum(plan.on_device.values()))
    raise PlanError(over_budget(min(tried.too_large, key=lambda plan: plan.peak)))


@dataclass(slots=True)
class _Tried:
    """Plans by what becomes of them."""

    fitting: list[tuple[float, Plan]] = field(default_factory=list)
    """With what each costs in time, the quickest first."""
    tight: list[Plan] = field(default_factory=list)
    """Too large for the device alone."""
    too_large: list[Plan] = field(default_factory=list)

    def try_all(self, request: PlanRequest) -> None:
        """Try choices from the quickest on, until others cost too much beside one that fits."""
        choices = [
            choice for choice in product(candidates(request), request.streams) if _is_worthwhile(request, *choice)
        ]
        costs = [tile_cost(request, *choice) for choice in choices]
        most = math.inf
        for place in sorted(range(len(choices)), key=costs.__getitem__):
            if costs[place][0] > most:
                return
            self._try(request, *choices[place], cost=costs[place][0])
            if self.fitting:
                if request.cropped is None:
                    return
                most = self.fitting[0][0] * FRUGAL_COST

    def _try(self, request: PlanRequest, tiles: TilePlan, streams: int, cost: float) -> None:
        plan = _fit_workers(
            tiles,
            request.costs,
            request.budget,
            request.workers,
            request.source_block,
            replace(request.worker_layout, streams=streams),
            request.cropped,
        )
        if plan.peak > request.budget * _budget_share(request, tiles, streams):
            self.too_large.append(plan)
        elif plan.fits_device:
            self.fitting.append((cost, plan))
        else:
            self.tight.append(plan)


def _frugal(fitting: list[tuple[float, Plan]]) -> Plan:
    """The plan of least memory among those that cost hardly more, where it saves some; it tells of the quickest."""
    (least, quickest), (cost, frugal) = fitting[0], min(fitting, key=lambda priced: priced[1].peak)
    if frugal.peak >= FRUGAL_PEAK * quickest.peak or quickest.peak - frugal.peak < FRUGAL_SAVING:
        return quickest
    return replace(frugal, quicker=QuickerTiles(size=quickest.tiles.size, peak=quickest.peak, saving=1 - least / cost))


def fit_workers(
    tiles: TilePlan,
    costs: memory.MemoryCosts,
    budget: int,
    workers: int | None,
    source_block: tuple[int, int],
    worker_layout: WorkerLayout = ONE_PROCESS,
    cropped: Cropping | None = None,
) -> Plan:
    """As many tiles at once and blocks in flight as fit, at least one in each process.

    Then what they share, as far as it fits beside them.

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
    worker_layout
        The processes that share the budget.
    cropped
        The network as it computes a part of a tile; None where tiles are computed whole.
    """
    plans = (
        _fit_workers(tiles, costs, budget, workers, source_block, replace(worker_layout, streams=streams), cropped)
        for streams in range(worker_layout.streams, 0, -1)
    )
    return next(plan for plan in plans if plan.peak <= budget or plan.worker_layout.streams == 1)


def _fit_workers(
    tiles: TilePlan,
    costs: memory.MemoryCosts,
    budget: int,
    workers: int | None,
    source_block: tuple[int, int],
    worker_layout: WorkerLayout,
    cropped: Cropping | None,
) -> Plan:
    """The same with as many tiles at once as are given."""
    left = cropping_cost(tiles, cropped)
    costs = replace(costs, cropped=round(left.memory, 3))
    per_process, room, largest = (
        (budget - worker_layout.launcher_bytes) // worker_layout.processes,
        worker_layout.device or 0,
        _largest(tiles),
    )
    tensors = memory.device_buffers(
        costs, largest.tile, largest.accumulator, tiles.turned, tiles.averages_probabilities, worker_layout.streams
    )
    for count in range(workers or IN_FLIGHT - 1 + worker_layout.streams, 0, -1):
        buffers = memory.projected(costs, frame=largest.frame, block=largest.block, workers=count)
        host_buffers, device_buffers = _by_device(
            tensors, count * memory.on_device_per_block(costs, largest.frame, largest.block), worker_layout
        )
        buffers |= host_buffers
        if sum(buffers.values()) <= per_process and (
            sum(device_buffers.values()) <= room or sum(tensors.values()) > room
        ):
            break
    shared = _shared(
        tiles, costs, per_process - sum(buffers.values()) if worker_layout.single_process else 0, count, source_block
    )
    buffers |= memory.sharing(costs, cached=shared.cached_bytes, decoding=shared.decoding, workers=count)
    return Plan(
        tiles=tiles,
        costs=costs,
        budget=budget,
        workers=count,
        buffers=memory.times_processes(buffers, worker_layout.processes, worker_layout.launcher_bytes),
        on_device=device_buffers,
        sharing=shared,
        cropped_work=left.work,
        worker_layout=worker_layout,
    )


def _by_device(
    tensors: dict[str, int], in_flight: int, worker_layout: WorkerLayout
) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes by buffer in the process and on its device, where that has memory of its own.

    They are those of tensors and of blocks that are carried to and fro.
    """
    if worker_layout.device is None:
        return tensors, {}
    return {"page-locked copies": in_flight * PAGE_LOCKED_FACTOR}, tensors | {"blocks in flight": in_flight}


def _shared(
    tiles: TilePlan, costs: memory.MemoryCosts, room: int, workers: int, source_block: tuple[int, int]
) -> ReadSharing:
    """What is decoded once within what is left of the budget."""
    rows, cols = unit_of(source_block, tiles.height, tiles.width)
    decoding = max(DECODED_PX, rows * cols) * costs.raw * workers
    return plan_read_sharing(tiles.layout(), source_block, costs.cached_per_pixel, room - decoding, workers)


def _budget_share(request: PlanRequest, tiles: TilePlan, streams: int) -> float:
    """Of the budget, what a choice of ours may take: it is whole where nothing smaller would do."""
    return (
        CONCURRENT_BUDGET_SHARE
        if streams > min(request.streams)
        else LARGE_TILE_BUDGET_SHARE
        if is_oversized(request, tiles)
        else 1
    )


def _is_worthwhile(request: PlanRequest, tiles: TilePlan, streams: int) -> bool:
    if streams > min(request.streams) and request.height * request.width < MIN_CONCURRENT_PX:
        return False
    return (
        streams == min(request.streams)
        or request.count(tiles.layout(), MIN_BLOCKS_PER_STREAM * streams) >= MIN_BLOCKS_PER_STREAM * streams
    )


class _Largest(NamedTuple):
    """Pixels of the largest of each."""

    tile: int
    """Or batch of them."""
    frame: int
    block: int
    accumulator: int


def _largest(tiles: TilePlan) -> _Largest:
    layout = tiles.layout()
    rows, cols = layout.shape
    probe = {BlockIndex(r, c) for r in {0, rows // 2, rows - 1} for c in {0, cols // 2, cols - 1}}
    windows = [layout.window(index) for index in probe]
    return _Largest(
        tile=max(tile.read.pixels for index in probe for tile in layout.tiles(index)) * tiles.batch,
        frame=max(layout.read_window(index).pixels for index in probe),
        block=max(window.pixels for window in windows),
        accumulator=max(min(window.height, tiles.size) * window.width for window in windows)
        if tiles.halo is None
        else 0,
    )


def over_budget(plan: Plan) -> str:
    """Why a plan is refused, and what would fit."""
    parts = ", ".join(f"{name} {human(size)}" for name, size in plan.buffers.items())
    return (
        f"The plan needs {human(plan.peak)} of memory at least, but execution.memory allows "
        f"{human(plan.budget)} ({parts}; "
        f"tile {plan.tiles.size} px, block {plan.tiles.block} px, {plan.workers} in "
        f"flight{_per_process_text(plan)}). Raise execution.memory to "
        f"{math.ceil((plan.peak + PROPOSAL_MARGIN) / MIB)}MiB or more, or ask for smaller tiles or blocks, "
        f"or a smaller halo."
    )


def _per_process_text(plan: Plan) -> str:
    return f" in each of {plan.worker_layout.processes} processes" if plan.worker_layout.processes > 1 else ""
