import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.tiling import HaloTiling


def layout(height: int, width: int, block: int, core: int = 64, halo: int = 32) -> BlockGrid:
    rows, cols = (HaloTiling(length=n, multiple=16, halo=halo, core=core) for n in (height, width))
    return BlockGrid(height=height, width=width, block=block, rows=rows, cols=cols)


@pytest.mark.slow
@given(st.integers(1, 96), st.integers(1, 96), st.integers(1, 90))
def test_tiles_of_all_blocks_keep_every_pixel_once(height: int, width: int, block: int) -> None:
    made, seen = layout(height, width, block), np.zeros((height, width), dtype=int)
    for index in made.blocks():
        frame = made.read_window(index)
        for tile in made.tiles(index):
            seen[tile.keep.slices] += 1
            assert frame.row <= tile.read.row
            assert tile.read.row + tile.read.height <= frame.row + frame.height
    assert (seen == 1).all()


def test_overhead_is_what_the_tiles_add_up_to() -> None:
    made = layout(300, 500, 128)
    counted = sum(tile.read.pixels for index in made.blocks() for tile in made.tiles(index)) / (300 * 500)
    assert np.isclose(made.arithmetic_overhead(), counted)


def test_overhead_of_a_long_axis_is_estimated_from_a_part_of_it() -> None:
    made = layout(20_000, 64, 128)
    counted = sum(tile.read.pixels for index in made.blocks() for tile in made.tiles(index)) / (20_000 * 64)
    assert np.isclose(made.arithmetic_overhead(), counted, rtol=1e-3)


def test_a_million_by_a_million_is_enumerated_lazily() -> None:
    made = layout(10**6, 10**6, 2048, core=2048)
    assert made.count == 489**2
    assert next(iter(made.blocks())) == BlockIndex(0, 0)
    assert made.arithmetic_overhead() > 1


@given(st.integers(1, 300), st.integers(1, 300), st.integers(5, 90), st.integers(1, 60))
def test_swaths_hold_every_block_once_from_left_to_right_and_top_to_bottom(
    height: int, width: int, block: int, swaths: int
) -> None:
    made = layout(height, width, block)
    made = made.with_swaths(min(swaths, made.shape[1]))
    found = list(made.blocks())
    assert sorted(found) == list(layout(height, width, block).blocks())
    assert found == sorted(found, key=lambda index: (made.swath_of(index.col), index.row, index.col))
    widths = [made.swath(k).size for k in range(made.swaths)]
    assert max(widths) - min(widths) <= 1
    assert all(
        made.swath_of(col) == k for k in range(made.swaths) for col in range(made.swath(k).start, made.swath(k).stop)
    )


def test_halved_tiles_keep_the_same_pixels() -> None:
    made = layout(300, 500, 256, core=128)
    smaller = made.halved()
    assert smaller is not None
    assert max(t.read.height for t in smaller.tiles(BlockIndex(0, 0))) < max(
        t.read.height for t in made.tiles(BlockIndex(0, 0))
    )
    assert sum(t.keep.pixels for t in smaller.tiles(BlockIndex(0, 1))) == made.window(BlockIndex(0, 1)).pixels
