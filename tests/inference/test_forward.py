from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.errors import InferenceError
from pipeline.geometry.blocks import BlockGrid, BlockIndex, Tile
from pipeline.geometry.tiling import LatticeTiling
from pipeline.geometry.window import Window
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.forward import Forward
from pipeline.inference.infer import Inference
from pipeline.inference.normalise import Normalisation
from pipeline.inference.recipe import Block, Recipe
from pipeline.interfaces import InputConstraints, Pixels
from pipeline.models.loaded import Loaded
from pipeline.runtime.cancellation import CANCELLED

FRAME = Window(row=0, col=0, height=32, width=96)
TILES = [
    Tile(read=window, keep=window)
    for window in (Window(row=0, col=col, height=32, width=32) for col in (0, 16, 32, 48, 64))
]
PIXELS = Pixels(data=np.random.default_rng(1).normal(size=(1, 32, 96)).astype("float32"), valid=np.ones((32, 96), bool))
PLAIN = Normalisation(scale=(1.0,), offset=(0.0,), mean=(0.0,), std=(1.0,))
SOFTMAX = ClassDecoding(activation="softmax", threshold=0.5, codes=(0, 1))


class Counting(torch.nn.Module):
    """Two classes: the pixel and its opposite, with a cliff beyond a number of images; notes the batches it sees."""

    def __init__(self, most: int = 100) -> None:
        super().__init__()
        self.most, self.batches = most, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")
        self.batches.append(len(x))
        return torch.cat([x, -x], 1)


def forward(network: torch.nn.Module, batch: int, accepts: InputConstraints = InputConstraints()) -> Forward:  # noqa: B008  # frozen
    return Forward(
        network=Loaded(module=network, identity_fields={}, accepts=accepts),
        device=torch.device("cpu"),
        normalisation=PLAIN,
        decoding=SOFTMAX,
        probabilities=False,
        augment="none",
        batch=batch,
    )


@pytest.mark.parametrize("batch", [1, 2, 3, 8])
def test_every_tile_gets_its_own_answer_and_every_batch_is_full(batch: int) -> None:
    network = Counting()
    found = list(forward(network, batch)(PIXELS, FRAME, TILES))
    assert [tile for tile, _ in found] == TILES
    for tile, logits in found:
        assert np.array_equal(logits[0].numpy(), PIXELS.data[(0, *tile.read.slices)])
    assert set(network.batches) == {batch}


def test_a_network_of_a_fixed_batch_is_given_that_many() -> None:
    network = Counting()
    said = Loaded(module=network, identity_fields={}, accepts=InputConstraints(batch=4))(
        torch.arange(2.0)[:, None, None, None].expand(2, 1, 8, 8)
    )
    assert said[:, 0, 0, 0].tolist() == [0.0, 1.0]
    assert network.batches == [4]


def test_out_of_memory_takes_fewer_tiles_at_once() -> None:
    recipe = Recipe(
        normalisation=PLAIN,
        decoding=SOFTMAX,
        layers=("mask",),
        nodata=255,
        dtype="uint8",
        precision="float32",
        threads=1,
        taper="hann",
        blend="logits",
        overlapping=True,
        batch=4,
    )
    rows, cols = (LatticeTiling(length=n, multiple=4, size=32, step=16) for n in (32, 96))
    layout, network = BlockGrid(height=32, width=96, block=96, rows=rows, cols=cols), Counting(most=1)
    CANCELLED.clear()
    arrays, halvings = Inference(Loaded(module=network, identity_fields={}), recipe, torch.device("cpu"))(
        Block(BlockIndex(0, 0), FRAME, FRAME, PIXELS), layout
    )
    assert (halvings, set(network.batches)) == (2, {1})
    assert (arrays["mask"] == (PIXELS.data[0] < 0)).all()


def test_a_network_that_returns_its_input_is_turned_without_spoiling_it() -> None:
    turned = replace(forward(torch.nn.Identity(), 1), augment="dihedral")
    for tile, logits in turned(PIXELS, FRAME, TILES):
        assert np.allclose(logits[0].numpy(), PIXELS.data[(0, *tile.read.slices)], atol=1e-6)


def test_a_network_that_fails_names_the_tile() -> None:
    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(InferenceError, match="32×32 px: mat1"):
        list(forward(Broken(), 1)(PIXELS, FRAME, TILES))
