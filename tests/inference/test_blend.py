import numpy as np
import pytest
import torch

from pipeline.geometry.blocks import BlockGrid
from pipeline.geometry.tiling import LatticeTiling
from pipeline.geometry.window import Window
from pipeline.inference.blend import blend
from pipeline.inference.tapers import KINDS


def layout(height: int, width: int, block: int, size: int = 32, step: int = 12) -> BlockGrid:
    rows, cols = (LatticeTiling(length=n, multiple=4, size=size, step=step) for n in (height, width))
    return BlockGrid(height=height, width=width, block=block, rows=rows, cols=cols)


def answer(field: np.ndarray, read: Window, per_tile: float) -> np.ndarray:
    """What a network that is not local says of a tile: the field, and something that depends on where the tile lies."""
    row, col = read.row, read.col
    seen = np.pad(field, ((0, 0), (0, 200), (0, 200)))[:, row : row + read.height, col : col + read.width]
    return (seen + per_tile * np.sin(row + 3 * col)).astype(np.float32)


def blended(field: np.ndarray, how: BlockGrid, taper: str, per_tile: float = 0.0) -> np.ndarray:
    """Block by block, strip by strip."""
    out = np.full(field.shape, np.nan, dtype=np.float32)
    for index in how.blocks():
        tiles = [
            (t, torch.from_numpy(answer(field, t.read, per_tile))[(slice(None), *t.keep.index_in(t.read))])
            for t in how.tiles(index)
        ]
        for window, mean in blend(tiles, how, how.window(index), KINDS[taper]):
            assert np.isnan(out[(slice(None), *window.slices)]).all(), "a row left twice"
            assert window.pixels <= max(32 * 32, window.width)
            out[(slice(None), *window.slices)] = mean.numpy()
    return out


def by_hand(field: np.ndarray, how: BlockGrid, taper: str, per_tile: float) -> np.ndarray:
    """All tiles of the lattice over the whole raster, in float64."""
    size, (height, width) = how.rows.largest, (how.rows.padded, how.cols.padded)
    total, weight = np.zeros((len(field), height, width)), np.zeros((height, width))
    bell = np.outer(KINDS[taper](size), KINDS[taper](size)).astype(np.float64)
    for row in sorted({min(i, height - size) for i in range(0, height, how.rows.step)}):
        for col in sorted({min(i, width - size) for i in range(0, width, how.cols.step)}):
            read = Window(row=row, col=col, height=size, width=size)
            total[(slice(None), *read.slices)] += bell * answer(field, read, per_tile)
            weight[read.slices] += bell
    return (total / weight)[:, : field.shape[1], : field.shape[2]]


@pytest.mark.parametrize("taper", KINDS)
@pytest.mark.parametrize("step", [4, 12, 20, 32])
def test_the_sweep_is_the_weighted_mean_over_all_tiles_of_the_lattice(taper: str, step: int) -> None:
    field = np.random.default_rng(step).normal(size=(3, 75, 101))
    how = layout(75, 101, 40, step=step)
    assert np.allclose(blended(field, how, taper, 1.0), by_hand(field, how, taper, 1.0), atol=2e-6)


@pytest.mark.parametrize("taper", KINDS)
def test_a_constant_network_comes_out_constant_everywhere(taper: str) -> None:
    made = blended(np.full((2, 75, 101), 0.7), layout(75, 101, 40), taper)
    assert np.abs(made - 0.7).max() < 1e-6


@pytest.mark.parametrize("taper", KINDS)
@pytest.mark.parametrize("shape", [(5, 3), (31, 33), (75, 101)])
def test_the_blend_is_bit_for_bit_the_same_whatever_the_blocks(taper: str, shape: tuple[int, int]) -> None:
    field = np.random.default_rng(0).normal(size=(2, *shape))
    made = [blended(field, layout(*shape, block), taper, 1.0) for block in (16, 40, 1000)]
    assert (made[0] == made[1]).all()
    assert (made[0] == made[2]).all()


def test_rows_of_tiles_that_are_absent_leave_the_others_as_they_are() -> None:
    field, how = np.random.default_rng(2).normal(size=(1, 200, 40)), layout(200, 40, 1000)
    whole = blended(field, how, "hann", 1.0)
    index = next(how.blocks())
    few = [t for t in how.tiles(index) if t.keep.row < 20 or t.keep.rows.stop > 180]
    tiles = ((t, torch.from_numpy(answer(field, t.read, 1.0))[(slice(None), *t.keep.index_in(t.read))]) for t in few)
    for window, mean in blend(tiles, how, how.window(index), KINDS["hann"]):
        for row in range(window.height):
            if window.row + row < 20 or window.row + row >= 180:
                assert (mean[:, row].numpy() == whole[:, window.row + row]).all()


def test_an_area_within_a_block_is_the_same_part_of_the_blend() -> None:
    field, how = np.random.default_rng(3).normal(size=(2, 90, 90)), layout(90, 90, 1000)
    whole, area, index = (
        blended(field, how, "gaussian", 1.0),
        Window(row=17, col=33, height=41, width=20),
        next(how.blocks()),
    )
    tiles = (
        (t, torch.from_numpy(answer(field, t.read, 1.0))[(slice(None), *t.keep.index_in(t.read))])
        for t in how.tiles(index, area)
    )
    for window, mean in blend(tiles, how, area, KINDS["gaussian"]):
        assert (mean.numpy() == whole[(slice(None), *window.slices)]).all()


def test_tapers_are_the_formulas_they_are_named_after() -> None:
    at = (np.arange(16) + 0.5) / 16
    assert np.allclose(KINDS["hann"](16), np.sin(np.pi * at) ** 2)
    assert np.allclose(KINDS["linear"](16), 1 - abs(2 * at - 1))
    assert np.allclose(KINDS["gaussian"](16), np.exp(-0.5 * ((at - 0.5) * 8) ** 2))
    assert (KINDS["flat"](16) == 1).all()
