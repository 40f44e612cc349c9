import numpy as np
import pytest
import torch

from pipeline.errors import InferenceError, Unfinished
from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.tiling import HaloTiling
from pipeline.geometry.window import Window
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.infer import Inference
from pipeline.inference.normalise import Normalisation
from pipeline.inference.recipe import Block, Recipe
from pipeline.interfaces import Pixels
from pipeline.models.loaded import Loaded
from pipeline.runtime.cancellation import CANCELLED
from pipeline.runtime.transfer.base import Arrays

RECIPE = Recipe(
    normalisation=Normalisation(scale=(1.0,), offset=(0.0,), mean=(0.0,), std=(1.0,)),
    decoding=ClassDecoding(activation="softmax", threshold=0.5, codes=(0, 1)),
    layers=("mask", "confidence"),
    nodata=255,
    dtype="uint8",
    precision="float32",
    threads=1,
    taper="flat",
    blend="logits",
    overlapping=False,
)
AXIS = HaloTiling(length=64, multiple=4, halo=8, core=64)
LAYOUT = BlockGrid(height=64, width=64, block=64, rows=AXIS, cols=AXIS)
WINDOW = Window(row=0, col=0, height=64, width=64)


class Counting(torch.nn.Module):
    """Two classes: the pixel, and its opposite. Fails above a number of pixels; counts its calls."""

    def __init__(self, most: int = 10**9, bad: bool = False) -> None:
        super().__init__()
        self.most, self.bad, self.calls = most, bad, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[2] * x.shape[3] > self.most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")
        self.calls += 1
        y = torch.cat([x, -x], 1)
        return y / 0 if self.bad else y


def block(valid: np.ndarray | None = None) -> Block:
    data = np.random.default_rng(1).normal(size=(1, 64, 64)).astype("float32")
    return Block(
        BlockIndex(0, 0), WINDOW, WINDOW, Pixels(data=data, valid=np.ones((64, 64), bool) if valid is None else valid)
    )


def run(network: torch.nn.Module, of: Block) -> tuple[Arrays, int]:
    CANCELLED.clear()
    return Inference(Loaded(module=network, identity_fields={}), RECIPE, torch.device("cpu"))(of, LAYOUT)


def test_labels_are_what_the_network_says_and_invalid_pixels_are_nodata() -> None:
    valid = np.ones((64, 64), bool)
    valid[10:20, 5:9] = False
    of = block(valid)
    arrays, halvings = run(Counting(), of)
    assert (arrays["mask"] == np.where(valid, of.pixels.data[0] < 0, 255)).all()
    assert (arrays["confidence"][~valid] == 0).all()
    assert halvings == 0


def test_out_of_memory_halves_the_tile_and_changes_no_label() -> None:
    of, small = block(), Counting(most=48 * 48)
    arrays, halvings = run(small, of)
    assert (halvings, small.calls) == (1, 4)
    assert (arrays["mask"] == run(Counting(), of)[0]["mask"]).all()


def test_a_device_without_memory_for_the_smallest_tile_fails_the_block() -> None:
    with pytest.raises(InferenceError, match="cpu is out of memory even for the smallest tiles"):
        run(Counting(most=0), block())


def test_a_network_that_overflows_is_a_failed_block_and_no_class() -> None:
    with pytest.raises(InferenceError, match="NaN or infinity"):
        run(Counting(bad=True), block())


def test_other_errors_of_the_network_fail_the_block_and_are_not_taken_for_memory() -> None:
    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(InferenceError, match="64×64 px: mat1"):
        run(Broken(), block())


def test_a_run_that_is_stopped_ends_between_tiles() -> None:
    CANCELLED.set()
    with pytest.raises(Unfinished):
        Inference(Loaded(module=Counting(), identity_fields={}), RECIPE, torch.device("cpu"))(block(), LAYOUT)
    CANCELLED.clear()
