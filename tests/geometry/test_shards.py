from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.shards import Shard, blocks_of_shard, parse_shard
from pipeline.geometry.tiling import HaloTiling

counts = st.integers(1, 40)


def layout(rows: int, cols: int, swaths: int = 1) -> BlockGrid:
    axes = (HaloTiling(length=16 * n - 3, multiple=4, halo=4, core=16, minimum=1) for n in (rows, cols))
    return BlockGrid(
        height=16 * rows - 3, width=16 * cols - 3, block=16, rows=next(axes), cols=next(axes), swaths=swaths
    )


def shards(count: int) -> Iterator[Shard]:
    return (Shard(index=i, count=count) for i in range(1, count + 1))


@given(st.integers(0, 5000), counts)
def test_shares_are_cut_without_gap_or_overlap_and_differ_by_one_at_most(total: int, count: int) -> None:
    spans = [shard.span(total) for shard in shards(count)]
    assert [k for span in spans for k in range(span.start, span.stop)] == list(range(total))
    sizes = [span.size for span in spans]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 9), st.integers(1, 9), counts, st.data())
def test_every_block_that_is_asked_for_belongs_to_one_shard_whatever_the_swaths_in_which_it_is_read(
    rows: int, cols: int, count: int, data: st.DataObject
) -> None:
    every = list(layout(rows, cols).blocks())
    asked = data.draw(st.sets(st.sampled_from(every), min_size=1))
    rowwise = [index for index in every if index in asked]
    shares = [blocks_of_shard(shard, iter(rowwise), len(rowwise)) for shard in shards(count)]
    swaths = data.draw(st.integers(1, cols))
    read = [
        [index for index in layout(rows, cols, swaths).blocks() if index in asked and index in mine] for mine in shares
    ]
    assert sorted(index for part in read for index in part) == sorted(asked)
    assert [len(part) for part in read] == [mine.count for mine in shares]
    assert all(index.row in mine.rows for part, mine in zip(read, shares, strict=True) for index in part)


def test_shares_run_row_by_row() -> None:
    blocks = list(layout(3, 5).blocks())
    first, second = (blocks_of_shard(shard, iter(blocks), 15) for shard in shards(2))
    assert (first.first, first.last, first.count) == (BlockIndex(0, 0), BlockIndex(1, 1), 7)
    assert (second.first, second.last, second.count) == (BlockIndex(1, 2), BlockIndex(2, 4), 8)


def test_more_shards_than_blocks_leave_some_without_any() -> None:
    shares = [blocks_of_shard(shard, layout(1, 2).blocks(), 2) for shard in shards(5)]
    assert sorted(mine.count for mine in shares) == [0, 0, 0, 1, 1]
    empty = next(mine for mine in shares if not mine.count)
    assert BlockIndex(0, 0) not in empty
    assert list(empty.rows) == []


def test_no_more_blocks_are_looked_at_than_a_share_needs() -> None:
    def blocks() -> Iterator[BlockIndex]:
        yield from (BlockIndex(0, col) for col in range(4))
        raise AssertionError("looked beyond the share")

    assert blocks_of_shard(Shard(index=2, count=4), blocks(), 8).count == 2


def test_names_sort_as_shards_count() -> None:
    assert str(Shard(index=3, count=16)) == "3/16"
    assert Shard(index=3, count=16).name == "shard-003-of-016"
    names = [shard.name for shard in shards(1200)]
    assert names == sorted(names)


def array(task: int, least: int, most: int, count: int, step: int) -> dict[str, str]:
    return {
        f"SLURM_ARRAY_TASK_{name}": str(n)
        for name, n in {"ID": task, "MIN": least, "MAX": most, "COUNT": count, "STEP": step}.items()
    }


@pytest.mark.parametrize(
    ("said", "environ", "expected"),
    [
        ("3/16", {}, (3, 16)),
        ("1/1", array(5, 0, 7, 8, 1), (1, 1)),
        ("auto", array(0, 0, 15, 16, 1), (1, 16)),
        ("auto", array(15, 0, 15, 16, 1), (16, 16)),
        ("auto", array(1, 1, 16, 16, 1), (1, 16)),
        ("auto", array(107, 101, 110, 10, 1), (7, 10)),
        ("auto", array(9, 1, 13, 4, 4), (3, 4)),
        ("auto", array(5, 5, 5, 1, 1), (1, 1)),
        ("auto", {"JOB_COMPLETION_INDEX": "0", "WHOLECLOTH_SHARDS": "4"}, (1, 4)),
        ("auto", {"JOB_COMPLETION_INDEX": "3", "WHOLECLOTH_SHARDS": "4"}, (4, 4)),
        ("auto", {**array(2, 1, 3, 3, 1), "JOB_COMPLETION_INDEX": "0", "WHOLECLOTH_SHARDS": "9"}, (2, 3)),
    ],
)
def test_a_shard_is_named_by_hand_or_by_the_array(
    said: str, environ: dict[str, str], expected: tuple[int, int]
) -> None:
    found = parse_shard(said, environ)
    assert (found.index, found.count) == expected


@pytest.mark.parametrize(
    ("said", "environ", "words"),
    [
        ("0/4", {}, "counts from 1"),
        ("5/4", {}, "--shard is 5/4"),
        ("1/0", {}, "i/n"),
        ("3", {}, "i/n"),
        ("-1/4", {}, "i/n"),
        ("a/b", {}, "i/n"),
        ("auto", {}, "neither SLURM_ARRAY_TASK_ID"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3"}, r"SLURM_ARRAY_TASK_COUNT=\(not set\)"),
        ("auto", array(17, 1, 16, 16, 1), "cannot tell"),
        ("auto", array(0, 1, 16, 16, 1), "cannot tell"),
        ("auto", array(4, 1, 13, 4, 4), "equal distances"),
        ("auto", array(7, 3, 9, 3, 1), "equal distances"),
        ("auto", array(3, 3, 9, 3, 0), "cannot tell"),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, r"WHOLECLOTH_SHARDS=\(not set\).*manifest"),
        ("auto", {"JOB_COMPLETION_INDEX": "4", "WHOLECLOTH_SHARDS": "4"}, "counts from 0"),
    ],
)
def test_what_is_no_shard_is_refused_and_said(said: str, environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_shard(said, environ)
