"""Where tiles meet, against a map of which tile made which pixel."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.tiling import HaloTiling, LatticeTiling
from pipeline.geometry.window import Window
from pipeline.quality.verify import seam_windows


@st.composite
def layouts(draw: st.DrawFn) -> BlockGrid:
    height, width, multiple = draw(st.integers(5, 90)), draw(st.integers(5, 90)), draw(st.sampled_from([1, 3, 4]))
    size, block = multiple * draw(st.integers(2, 8)), draw(st.integers(8, 100))
    if draw(st.booleans()):
        rows, cols = (
            HaloTiling(length=length, multiple=multiple, halo=multiple * 2, core=size) for length in (height, width)
        )
        return BlockGrid(height=height, width=width, block=block, rows=rows, cols=cols)
    step = multiple * draw(st.integers(1, size // multiple))
    across = [LatticeTiling(length=length, multiple=multiple, size=size, step=step) for length in (height, width)]
    return BlockGrid(height=height, width=width, block=block, rows=across[0], cols=across[1])


@st.composite
def parts(draw: st.DrawFn) -> tuple[BlockGrid, BlockIndex, Window]:
    layout = draw(layouts())
    index = BlockIndex(*(draw(st.integers(0, count - 1)) for count in layout.shape))
    block = layout.window(index)
    row, col = draw(st.integers(0, block.height - 1)), draw(st.integers(0, block.width - 1))
    height, width = draw(st.integers(1, block.height - row)), draw(st.integers(1, block.width - col))
    return layout, index, Window(row=block.row + row, col=block.col + col, height=height, width=width)


@given(parts())
def test_lines_are_where_the_tile_that_made_a_pixel_changes(case: tuple[BlockGrid, BlockIndex, Window]) -> None:
    layout, index, inside = case
    found, made = seam_windows.seam_lines(layout, index, inside), np.full((layout.height, layout.width), -1)
    block = layout.window(index)
    if layout.blended:
        reads = [tile.read for tile in layout.tiles(index, inside)]
        expected = {
            edge
            for read in reads
            for edge in (read.row, read.rows.stop)
            if 0 < edge < layout.height and block.row <= edge <= block.rows.stop
        }
        assert set(found.rows) == expected
        return
    for number, tile in enumerate(layout.tiles(index, inside)):
        made[tile.keep.slices] = number
    first = made[:, inside.col]
    changes = {p for p in range(inside.row + 1, inside.rows.stop) if first[p] != first[p - 1]}
    borders = {p for p in (block.row, block.rows.stop) if 0 < p < layout.height}
    assert set(found.rows) == changes | borders


@given(parts(), st.integers(0, 99))
def test_the_distance_is_that_to_the_nearest_line(case: tuple[BlockGrid, BlockIndex, Window], seed: int) -> None:
    layout, index, inside = case
    found = seam_windows.seam_lines(layout, index, inside)
    distance = found.distance(inside)
    rng = Random(seed)
    for _ in range(10):
        row, col = rng.randrange(inside.height), rng.randrange(inside.width)
        gaps = [
            at - p if at >= p else p - 1 - at
            for at, lines in ((inside.row + row, found.rows), (inside.col + col, found.cols))
            for p in lines
        ]
        assert distance[row, col] == min(gaps, default=seam_windows.NO_LINE_PX)


@given(parts(), st.integers(1, 40), st.integers(0, 99))
def test_windows_hold_a_seam_in_their_middle_or_keep_away_from_all(
    case: tuple[BlockGrid, BlockIndex, Window], side: int, seed: int
) -> None:
    layout, index, inside = case
    found, rng = seam_windows.seam_lines(layout, index, inside), Random(seed)
    centre = seam_windows.window_at_centre(found, inside, side, rng)
    assert centre.intersect(inside) == centre
    assert 1 <= centre.height <= side
    assert 1 <= centre.width <= side
    cuts = [inside.row, *(p for p in found.rows if inside.row < p < inside.rows.stop), inside.rows.stop]
    widest = max(b - a for a, b in pairwise(cuts))
    assert all(abs(p - edge) >= widest * 9 // 40 for p in found.rows for edge in (centre.row, centre.rows.stop))
    if found:
        window = seam_windows.window_at_seam(found, layout, inside, side, rng)
        assert window.clip(layout.height, layout.width) == window
        assert (window.height, window.width) == (min(side, layout.height), min(side, layout.width))
        assert any(window.row <= p <= window.rows.stop for p in found.rows) or any(
            window.col <= p <= window.cols.stop for p in found.cols
        )
