import numpy as np
import pytest
import torch

from pipeline.plan.layout import Layout
from pipeline.plan.tiling import LatticeTiling
from pipeline.stages.blend import Accumulator
from pipeline.tapers import KINDS


def blended(field: np.ndarray, block: int, taper: str, per_tile: float = 0.0) -> np.ndarray:
    """Blend tiles of a field, each shifted by an amount that depends on the tile, block by block."""
    height, width = field.shape[1:]
    rows, cols = (LatticeTiling(length=n, multiple=4, size=32, step=12) for n in (height, width))
    layout = Layout(height=height, width=width, block=block, rows=rows, cols=cols)
    out = np.full(field.shape, np.nan, dtype=np.float32)
    for index in layout.blocks():
        total = Accumulator(len(field), layout.window(index), KINDS[taper], torch.device("cpu"))
        for tile in layout.tiles(index):
            seen = field[(slice(None), *tile.keep.slices)] + per_tile * np.sin(tile.read.row + 3 * tile.read.col)
            total.add(torch.from_numpy(seen.astype(np.float32)), tile)
        out[(slice(None), *layout.window(index).slices)] = total.mean().numpy()
    return out


@pytest.mark.parametrize("taper", KINDS)
def test_a_constant_network_comes_out_constant_everywhere(taper: str) -> None:
    made = blended(np.full((2, 75, 101), 3.7), 40, taper)
    assert np.abs(made - 3.7).max() < 1e-5


@pytest.mark.parametrize("taper", KINDS)
def test_the_blend_does_not_depend_on_blocks(taper: str) -> None:
    field = np.random.default_rng(0).normal(size=(2, 75, 101))
    assert np.allclose(blended(field, 40, taper, 1.0), blended(field, 1000, taper, 1.0), atol=1e-5)


def test_tapers_are_the_formulas_they_are_named_after() -> None:
    at = (np.arange(16) + 0.5) / 16
    assert np.allclose(KINDS["hann"](16), np.sin(np.pi * at) ** 2)
    assert np.allclose(KINDS["linear"](16), 1 - abs(2 * at - 1))
    assert np.allclose(KINDS["gaussian"](16), np.exp(-0.5 * ((at - 0.5) * 8) ** 2))
    assert (KINDS["flat"](16) == 1).all()
