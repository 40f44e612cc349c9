"""Who reads what, in which order, against brute force; and what must be held, against a run of all blocks."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.read_sharing import (
    AIM,
    UNIT_PX,
    ReadSharing,
    earlier_readers,
    extents_per_axis,
    plan_read_sharing,
    rectangles,
    unit_of,
)
from pipeline.geometry.tiling import HaloTiling, LatticeTiling

Unit = tuple[int, int]

SIDES = st.integers(1, 200)
UNITS = st.tuples(st.integers(6, 90), st.integers(6, 90))


def halos(height: int, width: int, block: int, halo: int = 16, swaths: int = 1) -> BlockGrid:
    rows, cols = (HaloTiling(length=n, multiple=8, halo=halo, core=64) for n in (height, width))
    return BlockGrid(height=height, width=width, block=block, rows=rows, cols=cols, swaths=swaths)


def lattice(height: int, width: int, block: int) -> BlockGrid:
    rows, cols = (LatticeTiling(length=n, multiple=8, size=48, step=24) for n in (height, width))
    return BlockGrid(height=height, width=width, block=block, rows=rows, cols=cols)


LAYOUTS = st.one_of(
    st.builds(halos, SIDES, SIDES, st.integers(24, 120), st.sampled_from([0, 8, 40, 96])),
    st.builds(lattice, SIDES, SIDES, st.integers(24, 120)),
)


def units(layout: BlockGrid, index: object, unit: Unit) -> set[Unit]:
    """Of the frame of a block."""
    frame = layout.read_window(index).clip(layout.height, layout.width)  # type: ignore[arg-type]
    rows, cols = frame.rows.align(unit[0]), frame.cols.align(unit[1])
    return {
        (r, c)
        for r in range(rows.start // unit[0], rows.stop // unit[0])
        for c in range(cols.start // unit[1], cols.stop // unit[1])
    }


def pixels(layout: BlockGrid, unit: Unit, which: set[Unit]) -> int:
    return sum(min(unit[0], layout.height - r * unit[0]) * min(unit[1], layout.width - c * unit[1]) for r, c in which)


@given(LAYOUTS, UNITS, st.integers(1, 5))
def test_how_many_blocks_of_a_swath_read_a_unit_is_what_counting_gives(
    layout: BlockGrid, unit: Unit, swaths: int
) -> None:
    assume(swaths <= layout.shape[1])
    layout = layout.with_swaths(swaths)
    rows, cols = extents_per_axis(layout, unit)
    for k in range(swaths):
        span = layout.swath(k)
        counted: dict[Unit, int] = {}
        for index in layout.blocks():
            if span.start <= index.col < span.stop:
                for place in units(layout, index, unit):
                    counted[place] = counted.get(place, 0) + 1
        assert counted == {
            (r, c): rows.users(r * unit[0]).size * cols.users(c * unit[1], span).size for r, c in counted
        }


@given(LAYOUTS, UNITS, st.integers(1, 5))
def test_every_earlier_block_of_the_swath_that_reads_the_same_is_named(
    layout: BlockGrid, unit: Unit, swaths: int
) -> None:
    assume(swaths <= layout.shape[1])
    layout = layout.with_swaths(swaths)
    seen: list[object] = []
    for index in layout.blocks():
        of_swath = [other for other in seen if layout.swath_of(other.col) == layout.swath_of(index.col)]  # type: ignore[attr-defined]
        touching = {other for other in of_swath if units(layout, other, unit) & units(layout, index, unit)}
        named = set(earlier_readers(layout, unit, index))
        assert touching <= named <= set(of_swath)
        seen.append(index)


@given(LAYOUTS, UNITS, st.integers(0, 60_000), st.integers(1, 5))
def test_what_is_promised_is_what_a_run_decodes_and_holds(
    layout: BlockGrid, block: Unit, room: int, workers: int
) -> None:
    made = plan_read_sharing(layout, block, 1, room, workers)
    layout, unit = layout.with_swaths(made.swaths), made.unit if made.cached_bytes else block
    decoded, held, users = 0, 0, {}
    rows, cols = extents_per_axis(layout, unit)
    swath = 0
    for index in layout.blocks():
        if swath != layout.swath_of(index.col) or not made.cached_bytes:
            swath, users = layout.swath_of(index.col), {}
        wanted = units(layout, index, unit)
        decoded += pixels(layout, unit, {place for place in wanted if place not in users})
        for r, c in wanted:
            users[r, c] = users.get((r, c), 0) + 1
        waiting = {
            (r, c)
            for (r, c), n in users.items()
            if n < rows.users(r * unit[0]).size * cols.users(c * unit[1], layout.swath(swath)).size
        }
        held = max(held, pixels(layout, unit, waiting))
    assert made.amplification == pytest.approx(decoded / (layout.height * layout.width), rel=1e-3)
    if made.cached_bytes:
        assert held <= made.cached_bytes <= room
        assert made.amplification <= layout.amplification(block)


def test_more_room_is_taken_only_while_it_saves_decoding() -> None:
    layout = halos(20_000, 20_000, 512, halo=64)
    made = [plan_read_sharing(layout, (256, 256), 8, room, 4) for room in (0, 24 * 2**20, 30 * 2**20, 2**40)]
    assert [one.cached_bytes > 0 for one in made] == [False, True, True, True]
    assert made[0].amplification > made[1].amplification > made[2].amplification > 1
    assert made[3].amplification <= AIM
    assert made[3].swaths > 1
    assert made[3].cached_bytes < 100 * 2**20


def test_a_million_by_a_million_is_shared_out_too() -> None:
    layout = halos(10**6, 10**6, 2048, halo=96)
    made = plan_read_sharing(layout, (512, 512), 9, 2**40, 4)
    assert made.amplification <= AIM
    assert made.cached_bytes < 256 * 2**20
    first = next(iter(layout.with_swaths(made.swaths).strip_rows()))
    assert len(first) < 40


def test_blocks_that_share_nothing_hold_nothing() -> None:
    assert plan_read_sharing(halos(4096, 4096, 512, halo=0), (512, 512), 9, 2**40, 4).cached_bytes == 0
    assert plan_read_sharing(halos(400, 400, 400), (64, 64), 9, 2**40, 4).cached_bytes == 0


def test_a_file_of_one_huge_block_is_left_to_its_reader() -> None:
    made = plan_read_sharing(halos(20_000, 20_000, 512), (20_000, 20_000), 9, 2**30, 4)
    assert made == ReadSharing(unit=(20_000, 20_000), swaths=1, cached_bytes=0, amplification=40**2)
    assert made.decoding == 0


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_unit_is_whole_blocks_and_no_more_of_them_than_it_takes(
    rows: int, cols: int, height: int, width: int
) -> None:
    unit = unit_of((rows, cols), height, width)
    assert unit[0] % rows == unit[1] % cols == 0
    assert unit[0] * unit[1] >= UNIT_PX or (unit[0] >= height and unit[1] >= width)
    assert unit == (rows, cols) or unit[0] * unit[1] < 2 * UNIT_PX


@pytest.mark.parametrize(
    ("block", "unit"),
    [
        ((512, 512), (512, 512)),
        ((64, 64), (128, 128)),
        ((1, 8192), (2, 8192)),
        ((128, 128), (128, 128)),
        ((1, 10**6), (1, 10**6)),
    ],
)
def test_units_of_usual_files(block: Unit, unit: Unit) -> None:
    assert unit_of(block, 10**6, 10**6 if block[1] > 9000 else 8192) == unit


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9))), st.integers(1, 30))
def test_rectangles_cover_each_unit_once_and_are_not_too_large(which: set[Unit], most: int) -> None:
    covered = []
    for rows, cols in rectangles(which, most):
        inside = [(r, c) for r in range(rows.start, rows.stop) for c in range(cols.start, cols.stop)]
        assert 0 < len(inside) <= most
        covered += inside
    assert len(covered) == len(set(covered))
    assert set(covered) == which


def test_a_frame_is_read_in_few_rectangles() -> None:
    assert len(list(rectangles([(r, c) for r in range(4) for c in range(5)], 10))) == 2
    assert len(list(rectangles([(r, c) for r in range(3) for c in range(8)], 6))) == 6
