"""Blocks are drawn while they pass by."""

from random import Random

from pipeline.geometry.blocks import BlockIndex
from pipeline.quality.verify.block_sample import BlockSample, Reservoir


def drawn(count: int, most: int, seed: int) -> list[BlockIndex]:
    held = Reservoir(most, Random(seed))
    for k in range(count):
        held.add(BlockIndex(0, k))
    return held.blocks


def test_blocks_of_which_nobody_knows_the_number_come_as_often_as_each_other() -> None:
    found = [index for seed in range(400) for index in drawn(40, 4, seed)]
    assert len(found) == 1600
    assert min(found.count(BlockIndex(0, k)) for k in range(40)) > 15


def test_no_block_comes_twice_before_all_have_come() -> None:
    few = Reservoir(20, Random(0))
    for k in range(7):
        few.add(BlockIndex(k, 0))
    turns = list(few.in_random_order(10, Random(0)))
    assert len(turns) == 10
    assert len(set(turns[:7])) == 7
    assert len(set(turns[7:])) == 3
    assert list(Reservoir(0, Random(0)).in_random_order(5, Random(0))) == []


def test_blocks_with_data_are_told_from_those_without_by_their_record() -> None:
    draw = BlockSample.of(2, Random(0))
    for k in range(100):
        draw.add(
            BlockIndex(0, k), {"0/mask/c/0/0": "empty", "0/confidence/c/0/0": "abc" if k == 70 else "empty"}, "empty"
        )
    assert draw.full.blocks == [BlockIndex(0, 70)]
    assert (len(draw.empty.blocks), draw.empty.passed) == (2, 99)
    assert set(draw.alternating(Random(0))) == {*draw.full.blocks, *draw.empty.blocks}
