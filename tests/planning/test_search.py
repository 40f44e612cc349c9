from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, PlanError
from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.models.cropping.network import CroppedNetwork, crop_image, record_cropping
from pipeline.models.loaded import Loaded
from pipeline.planning import memory
from pipeline.planning.candidates import SMALLEST_CORE, candidates
from pipeline.planning.halo import HaloDecision
from pipeline.planning.memory import MemoryCosts
from pipeline.planning.search import FRUGAL_COST, FRUGAL_PEAK, fit_workers, search_plan
from pipeline.planning.types import PlanRequest, WorkerLayout
from pipeline.runtime.resources import GDAL_CACHE, MIB
from tests import zoo

COSTS = MemoryCosts(libraries=300 * MIB, gdal_cache=GDAL_CACHE, raw=13, bands=4, classes=5, activations=400, output=2)
WISH = PlanRequest(
    height=9000,
    width=7000,
    tile="auto",
    overlap="auto",
    taper="auto",
    blend="logits",
    block="auto",
    chunk=512,
    shard="auto",
    multiple=32,
    minimum=32,
    maximum=None,
    training_size=None,
    halo=HaloDecision(halo=160, exact=True, reason=""),
    costs=COSTS,
    budget=8192 * MIB,
    workers=4,
)


@pytest.mark.slow
@given(
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.sampled_from([64, 200, 512]),
    st.integers(900, 20_000),
    st.sampled_from([0, 32, 160]),
    st.sampled_from(["auto", "none"]),
)
def test_whatever_is_planned_fits_is_aligned_and_covers(
    height: int, width: int, chunk: int, budget: int, halo: int, shard: str
) -> None:
    wish = replace(
        WISH,
        height=height,
        width=width,
        chunk=chunk,
        budget=budget * MIB,
        halo=HaloDecision(halo=halo, exact=True, reason=""),
        shard=shard,
    )
    plan = search_plan(wish)
    tiles = plan.tiles
    assert plan.peak <= wish.budget
    assert tiles.block % (tiles.shard or tiles.chunk) == 0
    layout = tiles.layout()
    tile = next(iter(layout.tiles(next(iter(layout.blocks())))))
    assert tile.read.height <= tiles.size
    assert tile.read.height % 32 == 0


def test_a_smaller_budget_gives_smaller_tiles() -> None:
    assert search_plan(replace(WISH, budget=1200 * MIB)).tiles.size < search_plan(WISH).tiles.size


def test_where_memory_is_plenty_tiles_are_larger_than_halos_demand_and_whole_blocks() -> None:
    wish = replace(WISH, budget=64_000 * MIB)
    rich = search_plan(wish)
    poor = search_plan(replace(wish, budget=3 * rich.peak - 1))
    assert (rich.tiles.core, rich.tiles.block) == (3072, 3072)
    assert poor.tiles.core < rich.tiles.core
    assert poor.tiles.layout().arithmetic_overhead() > rich.tiles.layout().arithmetic_overhead()
    assert search_plan(replace(wish, budget=3 * rich.peak)).tiles == rich.tiles


def test_few_blocks_are_not_worth_larger_tiles() -> None:
    many, few = (
        search_plan(replace(WISH, height=side, width=side, budget=64_000 * MIB)) for side in (3 * 3072, 2 * 3072)
    )
    assert (many.tiles.core, many.layout().count) == (3072, 9)
    assert few.tiles.core < 3072


def test_an_area_of_few_blocks_is_not_worth_larger_tiles_or_several_at_once() -> None:
    wish = replace(WISH, height=3 * 3072, width=3 * 3072, budget=64_000 * MIB)
    several = replace(wish, tile=1024, block=1024, streams=(2, 1), cores=2)

    def two(layout: BlockGrid) -> Iterator[BlockIndex]:
        return iter([BlockIndex(0, 0), BlockIndex(0, 1)])

    assert search_plan(wish).tiles.core == 3072 > search_plan(replace(wish, area_blocks=two)).tiles.core
    assert (
        search_plan(several).worker_layout.streams
        == 2
        > search_plan(replace(several, area_blocks=two)).worker_layout.streams
    )


def test_larger_tiles_that_save_no_arithmetic_are_not_worth_their_memory() -> None:
    tiles = search_plan(replace(WISH, height=4096, width=4096, budget=64_000 * MIB)).tiles
    assert (tiles.core, tiles.layout().shape) == (2048, (2, 2))


def test_larger_tiles_are_whole_shards_where_there_are_shards() -> None:
    tiles = search_plan(
        replace(
            WISH, height=40_000, width=40_000, halo=HaloDecision(halo=96, exact=True, reason=""), budget=64_000 * MIB
        )
    ).tiles
    assert (tiles.shard, tiles.block, tiles.core) == (2048, 2048, 2048)


@pytest.mark.parametrize("asked", [{"tile": 4096}, {"minimum": 4096, "maximum": 4096}])
def test_a_size_that_is_asked_for_or_fixed_takes_what_memory_there_is(asked: dict[str, int]) -> None:
    wish = replace(WISH, budget=64_000 * MIB, **asked)
    assert search_plan(replace(wish, budget=search_plan(wish).peak)).tiles == search_plan(wish).tiles


def test_a_budget_that_holds_nothing_is_refused_with_what_would_fit() -> None:
    with pytest.raises(PlanError, match=r"execution\.memory.*Raise execution\.memory to (\d+)MiB") as caught:
        search_plan(replace(WISH, budget=64 * MIB))
    needed = int(str(caught.value).split("Raise execution.memory to ")[1].split("MiB")[0])
    for budget in (needed * MIB, (needed - 15) * MIB):  # in another process libraries take a few MiB more
        assert search_plan(replace(WISH, budget=budget)).peak <= budget


def test_a_tile_without_a_core_is_refused_with_the_smallest_that_has_one() -> None:
    with pytest.raises(ConfigError, match="352"):
        search_plan(replace(WISH, tile=300))
    assert search_plan(replace(WISH, tile=352)).tiles.core == 32


def test_a_raster_within_one_tile_needs_no_core_beside_halos() -> None:
    plan = search_plan(replace(WISH, tile=128, height=100, width=90))
    assert [t.read.height for t in plan.tiles.layout().tiles(next(plan.tiles.layout().blocks()))] == [128]


def test_a_block_that_splits_chunks_is_refused() -> None:
    with pytest.raises(ConfigError, match="whole number of chunks"):
        search_plan(replace(WISH, block=700))


def test_many_chunks_are_sharded_and_blocks_are_whole_shards() -> None:
    tiles = search_plan(replace(WISH, height=100_000, width=100_000)).tiles
    assert tiles.shard is not None
    assert tiles.block % tiles.shard == 0


def test_a_fixed_input_size_is_the_only_tile_there_is() -> None:
    layout = search_plan(replace(WISH, minimum=512, maximum=512)).tiles.layout()
    sizes = {(t.read.height, t.read.width) for index in layout.blocks() for t in layout.tiles(index)}
    assert sizes == {(512, 512)}


def test_blended_tiles_have_the_training_size_and_step_by_half() -> None:
    tiles = search_plan(replace(WISH, halo=HaloDecision(halo=None, exact=False, reason=""), training_size=256)).tiles
    assert (tiles.size, tiles.step, tiles.taper) == (256, 128, "hann")


def test_a_network_whose_largest_input_leaves_no_core_is_refused() -> None:
    with pytest.raises(ConfigError, match="352"):
        search_plan(replace(WISH, maximum=320))
    assert search_plan(replace(WISH, maximum=512)).tiles.size <= 512


BLENDED = replace(WISH, halo=HaloDecision(halo=None, exact=False, reason=""), training_size=256)


def test_a_blended_block_is_the_smallest_whose_straddling_tiles_cost_a_tenth() -> None:
    tiles = search_plan(BLENDED).tiles
    assert 0 < tiles.layout().blend_recompute_share() <= 0.1
    assert replace(tiles, block=tiles.block - tiles.chunk).layout().blend_recompute_share() > 0.1


def test_a_budget_too_small_for_such_a_block_gives_a_smaller_one_and_says_what_it_costs() -> None:
    plan = search_plan(replace(BLENDED, budget=536 * MIB))
    assert plan.peak <= 536 * MIB
    assert plan.tiles.block < search_plan(BLENDED).tiles.block
    assert plan.tiles.layout().blend_recompute_share() > 0.1


def test_the_sum_of_a_blend_is_priced_by_one_tile_and_not_by_the_block() -> None:
    wide = search_plan(replace(BLENDED, block=4096)).buffers["sum of the blend"]
    assert wide == 4096 * 256 * COSTS.classes * 4


def test_batches_and_turns_are_priced() -> None:
    one, several, turned = (
        search_plan(replace(BLENDED, batch=n, augment=how)).buffers
        for n, how in ((1, "none"), (6, "none"), (1, "dihedral"))
    )
    assert several["activations"] == 6 * one["activations"]
    assert turned["logits"] > one["logits"]
    assert turned["network input"] > one["network input"]
    assert search_plan(replace(BLENDED, blend="probabilities")).buffers["logits"] > one["logits"]


def test_there_are_as_many_turns_as_the_plan_says() -> None:
    from pipeline.inference.tta import TTA_GROUPS
    from pipeline.planning.types import VIEWS_PER_TILE

    assert {name: len(group) for name, group in TTA_GROUPS.items()} == VIEWS_PER_TILE


@pytest.mark.slow
def test_what_is_held_for_neighbours_is_priced_and_comes_after_the_blocks_in_flight() -> None:
    wish = replace(WISH, height=90_000, width=70_000, source_block=(512, 512))
    rich = search_plan(wish)
    assert rich.buffers["decoded and held for neighbours"] == rich.sharing.cached_bytes > 0
    assert rich.layout().swaths == rich.sharing.swaths > 1
    made = [
        fit_workers(rich.tiles, COSTS, budget * MIB, 4, (512, 512)) for budget in range(rich.peak // MIB + 1, 300, -20)
    ]
    fits = [plan for plan in made if plan.peak <= plan.budget]
    assert len({plan.sharing.cached_bytes for plan in fits}) > 2
    assert all(plan.sharing.amplification >= rich.sharing.amplification for plan in fits)
    assert all(plan.workers == 4 for plan in fits if plan.sharing.cached_bytes == rich.sharing.cached_bytes)
    assert any(plan.sharing.cached_bytes == 0 and "being decoded" not in plan.buffers for plan in fits)
    assert made[-1].workers == 1


def test_open_files_of_a_mosaic_are_a_buffer_of_the_plan() -> None:
    alone, mosaic = (
        memory.projected(replace(COSTS, open_files=size), frame=200, block=50, workers=2) for size in (0, 96 * MIB)
    )
    assert sum(mosaic.values()) - sum(alone.values()) == 96 * MIB
    assert mosaic["open files of the source"] == 96 * MIB
    assert memory.max_probe_side(replace(COSTS, open_files=96 * MIB), 2**31, 3) < memory.max_probe_side(COSTS, 2**31, 3)


def test_several_processes_share_the_budget_and_hold_nothing_for_neighbours() -> None:
    wish = replace(WISH, height=90_000, width=70_000, source_block=(512, 512))
    one, hands = search_plan(wish), WorkerLayout(processes=3, launcher_bytes=500 * MIB, single_process=False)
    several = fit_workers(one.tiles, COSTS, 3 * one.peak + 500 * MIB, 4, (512, 512), hands)
    assert several.sharing.cached_bytes == 0
    assert several.sharing.amplification > one.sharing.amplification
    assert several.buffers["the process that hands out blocks"] == 500 * MIB
    assert several.buffers["activations"] == 3 * one.buffers["activations"]
    assert several.peak == 500 * MIB + 3 * several.per_process
    assert several.tensors == one.tensors
    assert one.tensors < sum(one.buffers[name] for name in ("network input", "activations", "logits")), (
        "what may be needed is laid out beforehand"
    )
    assert several.workers == 4


def test_blocks_in_flight_are_fewer_where_several_processes_must_fit() -> None:
    alone = search_plan(WISH)
    hands = WorkerLayout(processes=4, launcher_bytes=300 * MIB, single_process=False)
    assert fit_workers(alone.tiles, COSTS, alone.peak * 3, 4, (1, 1), hands).workers < 4
    with pytest.raises(PlanError, match=r"in flight in each of 40 processes"):
        search_plan(replace(WISH, worker_layout=replace(hands, processes=40)))


def test_tiles_at_once_that_are_seldom_full_take_less_together() -> None:
    tiles = search_plan(WISH).tiles
    for streams, grows in ((1, False), (4, True)):
        each = [
            fit_workers(
                tiles, replace(COSTS, fullness=share), 10**12, 4, (1, 1), WorkerLayout(streams=streams)
            ).buffers["activations"]
            for share in (0.45, 0.55, 0.8)
        ]
        assert (each == sorted(set(each))) is grows
        assert max(each) <= streams * 2.2 * COSTS.activations * tiles.size**2


TENSORS = ("network input", "activations", "logits")


def test_tensors_on_a_device_with_memory_of_its_own_leave_that_of_the_process_alone() -> None:
    here = search_plan(WISH)
    there = search_plan(replace(WISH, worker_layout=WorkerLayout(device=here.peak)))
    assert there.tiles == here.tiles
    assert tuple(there.on_device) == (*TENSORS, "blocks in flight")
    tensors, carried = sum(there.on_device[name] for name in TENSORS), there.on_device["blocks in flight"]
    assert there.peak + tensors == here.peak + 4 * carried, "torch rounds page-locked copies up, and keeps them"
    assert carried >= there.workers * (there.tiles.block**2) * (COSTS.cached_per_pixel + COSTS.output)
    assert there.tensors == here.tensors
    assert here.on_device == {}


def test_tiles_are_as_large_as_the_device_has_room_for() -> None:
    sizes = []
    for room in (64_000, 4_000, 1_000, 300):
        plan = search_plan(replace(WISH, budget=64_000 * MIB, worker_layout=WorkerLayout(device=room * MIB)))
        assert sum(plan.on_device.values()) <= room * MIB
        sizes.append(plan.tiles.size)
    assert sizes == sorted(set(sizes), reverse=True), "each less than the one before"


def test_fewer_blocks_are_in_flight_where_the_device_has_no_room_for_all() -> None:
    most = search_plan(replace(WISH, worker_layout=WorkerLayout(device=64_000 * MIB)))
    tensors = sum(most.on_device[name] for name in TENSORS)
    each = most.on_device["blocks in flight"] // most.workers
    few = fit_workers(most.tiles, COSTS, WISH.budget, None, (1, 1), WorkerLayout(device=tensors + 2 * each))
    assert (most.workers, few.workers) == (4, 2)


def test_a_device_without_room_is_tried_with_the_smallest_tiles() -> None:
    plan = search_plan(replace(WISH, worker_layout=WorkerLayout(device=10 * MIB)))
    assert not plan.fits_device
    assert plan.workers == 4, "fewer would not make it fit"
    assert plan.tiles.size == min(tiles.size for tiles in candidates(WISH))
    with pytest.raises(PlanError, match=r"execution\.memory"):
        search_plan(replace(WISH, budget=64 * MIB, worker_layout=WorkerLayout(device=10 * MIB)))


def test_cores_that_are_tried_end_where_memory_gains_nothing() -> None:
    wish = replace(WISH, multiple=1, minimum=1, halo=HaloDecision(halo=0, exact=True, reason=""))
    assert min(tiles.core for tiles in candidates(wish)) == SMALLEST_CORE
    assert min(tiles.core for tiles in candidates(replace(wish, height=10, width=20))) == 20
    assert min(tiles.core for tiles in candidates(replace(wish, multiple=96))) == 96


SHARED = replace(WISH, height=16 * 3072, width=3 * 3072, workers=None, budget=256_000 * MIB, cores=4, streams=(4, 2, 1))


def test_where_memory_is_plenty_each_core_computes_a_tile() -> None:
    rich = search_plan(SHARED)
    assert (rich.worker_layout.streams, rich.workers) == (4, 7)
    alone = search_plan(replace(SHARED, streams=(1,)))
    assert (alone.worker_layout.streams, alone.workers) == (1, 4)
    assert rich.tiles == alone.tiles
    assert 2 * alone.buffers["activations"] < rich.buffers["activations"] < 4 * alone.buffers["activations"]
    assert rich.buffers["logits"] == 4 * alone.buffers["logits"]
    assert 3 * alone.tensors < rich.tensors < sum(rich.buffers[name] for name in TENSORS)


@pytest.mark.slow
def test_several_tiles_of_our_choice_leave_some_of_the_memory() -> None:
    rich = search_plan(SHARED)
    for budget in (rich.peak * 3 // 2 + 1, rich.peak * 3 // 2 - MIB, 6000 * MIB, 3000 * MIB):
        plan = search_plan(replace(SHARED, budget=budget))
        assert plan.peak <= budget * (2 / 3 if plan.worker_layout.streams > 1 else 1)
        assert (plan.tiles == rich.tiles and plan.worker_layout.streams == 4) == (budget > rich.peak * 3 / 2)
    assert plan.worker_layout.streams == 1
    asked = search_plan(replace(SHARED, budget=3000 * MIB, streams=(4,)))
    assert asked.worker_layout.streams == 4
    assert asked.tiles.size < plan.tiles.size


def test_blocks_that_would_leave_cores_without_one_are_not_shared_out() -> None:
    """Nine on eight cores take as long as sixteen."""
    nine = replace(SHARED, height=3 * 3072, cores=8, streams=(8, 4, 2, 1))
    assert search_plan(nine).worker_layout.streams < 8
    assert search_plan(replace(nine, height=16 * 3072)).worker_layout.streams == 8


def test_few_blocks_are_not_worth_the_memory_of_several_tiles() -> None:
    few, enough = (
        search_plan(replace(SHARED, height=height, width=2048, block=2048, tile=2048 + 320))
        for height in (11 * 2048, 12 * 2048)
    )
    assert (few.worker_layout.streams, enough.worker_layout.streams) == (2, 4)
    assert search_plan(replace(SHARED, height=2048, width=2048, streams=(4,))).worker_layout.streams == 4, (
        "as asked for"
    )


def test_a_plan_that_is_there_computes_as_many_tiles_at_once_as_fit() -> None:
    tiles, counts = search_plan(SHARED).tiles, []
    for budget in (64_000, 30_000, 24_000, 12_000, 600):
        plan = fit_workers(tiles, COSTS, budget * MIB, None, (1, 1), WorkerLayout(streams=4))
        assert plan.peak <= plan.budget or budget == 600
        counts.append(plan.worker_layout.streams)
    assert counts == [4, 3, 2, 1, 1]


def test_a_network_of_single_pixels_has_tiles_that_stay_in_the_cache_and_blocks_as_large_as_ever() -> None:
    wish = replace(WISH, halo=HaloDecision(halo=0, exact=True, reason=""), multiple=1, minimum=1)
    small, large = search_plan(replace(wish, pixelwise=True)), search_plan(wish)
    assert (small.tiles.size, large.tiles.size) == (512, 1024)
    assert small.tiles.block == large.tiles.block == 1024
    assert small.peak < large.peak


def test_a_halo_that_is_asked_for_or_a_size_is_kept_for_single_pixels_too() -> None:
    wish = replace(WISH, multiple=1, minimum=1, pixelwise=True)
    assert search_plan(replace(wish, halo=HaloDecision(halo=8, exact=True, reason=""))).tiles.core >= 1024
    exact = HaloDecision(halo=0, exact=True, reason="")
    assert search_plan(replace(wish, halo=exact, tile=768)).tiles.size == 768


def _unet() -> CroppedNetwork:
    network = Loaded(module=zoo.UNet(base=16).eval(), identity_fields={"sha256": "of the test"})
    return record_cropping(network, crop_image(3, 64, torch.device("cpu")))


def test_among_tiles_that_cost_alike_those_of_least_memory_are_taken_and_the_quickest_are_named() -> None:
    wish = replace(WISH, halo=HaloDecision(halo=64, exact=True, reason=""), cropped=_unet(), budget=65536 * MIB)
    plan = search_plan(wish)
    assert plan.quicker is not None
    assert plan.peak < FRUGAL_PEAK * plan.quicker.peak
    assert plan.tiles.size < plan.quicker.size
    assert 0 <= plan.quicker.saving < FRUGAL_COST - 1 + 0.01


def test_tiles_that_are_computed_whole_are_the_quickest_that_fit() -> None:
    assert search_plan(WISH).quicker is None


@pytest.mark.parametrize("block", [128, 512])
def test_the_threads_of_a_small_raster_depend_on_no_choice_of_blocks(block: int) -> None:
    small = replace(WISH, height=1100, width=1300, chunk=128, block=block, cores=2, streams=(2, 1))
    assert search_plan(small).worker_layout.streams == 1
    assert search_plan(replace(small, height=9000, width=7000)).worker_layout.streams == 2
