"""Small tiles of a network of single pixels, plane by plane, beside one tile with its channels last."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.geometry.blocks import BlockGrid, BlockIndex
from pipeline.geometry.tiling import HaloTiling
from pipeline.geometry.window import Window
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.infer import Inference
from pipeline.inference.normalise import Normalisation
from pipeline.inference.recipe import Block, Recipe
from pipeline.interfaces import Pixels
from pipeline.models.loaded import Loaded
from pipeline.runtime.transfer.base import Arrays
from pipeline.store.values import ValuesSpec

SIDE = 96
WINDOW = Window(row=0, col=0, height=SIDE, width=SIDE)
BASE = Recipe(
    normalisation=Normalisation(scale=(1e-3,) * 4, offset=(0.0, 0.1, 0.0, 0.0), mean=(1.0,) * 4, std=(0.5, 1, 2, 1)),
    decoding=ClassDecoding(activation="softmax", threshold=0.5, codes=(3, 1, 7, 9)),
    layers=("mask", "confidence", "probabilities", "entropy"),
    nodata=255,
    dtype="uint8",
    precision="float32",
    threads=1,
    taper="flat",
    blend="logits",
    overlapping=False,
)
HOLDING = ClassDecoding(activation="sigmoid", threshold=0.6, codes=(0, 1, 2, 3, 8), background=4)
RECIPES = {
    "classes": BASE,
    "least confidence": replace(BASE, min_confidence=0.5),
    "softmax before": replace(BASE, decoding=replace(BASE.decoding, activation="none")),
    "background": replace(BASE, decoding=HOLDING),
    "a threshold each": replace(BASE, decoding=replace(HOLDING, threshold=(0.5, 0.6, 0.7, 0.8))),
    "flips": replace(BASE, augment="flips"),
    "values": replace(
        BASE,
        decoding=replace(BASE.decoding, codes=()),
        layers=("values",),
        values=ValuesSpec(channels=("a", "b", "c", "d"), dtype="float16"),
    ),
}


def network() -> Loaded:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 1), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1))
    for parameter in module.parameters():
        parameter.data.mul_(3)  # answers that reach every class and threshold
    return Loaded(module=module.eval(), identity_fields={})


def block() -> Block:
    """With a hole of nodata that reaches over borders of tiles."""
    rng = np.random.default_rng(0)
    valid = np.ones((SIDE, SIDE), dtype=bool)
    valid[20:50, 25:40] = False
    data = rng.integers(1, 4000, (4, SIDE, SIDE)).astype("uint16")
    return Block(BlockIndex(0, 0), WINDOW, WINDOW, Pixels(data=data, valid=valid))


def made(recipe: Recipe, core: int) -> Arrays:
    axis = HaloTiling(length=SIDE, multiple=1, halo=0, core=core)
    layout = BlockGrid(height=SIDE, width=SIDE, block=SIDE, rows=axis, cols=axis)
    return Inference(network(), recipe, torch.device("cpu"))(block(), layout)[0]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("core", [7, 32])
def test_small_tiles_plane_by_plane_say_what_one_tile_says(name: str, core: int) -> None:
    whole = made(RECIPES[name], SIDE)
    tiled = made(replace(RECIPES[name], memory_format="contiguous"), core)
    assert whole.keys() == tiled.keys()
    for layer, values in whole.items():
        if layer == "mask":
            assert len(np.unique(values)) > 3
            assert np.array_equal(values, tiled[layer])
        else:
            step = 1 if values.dtype == np.uint8 else 2e-3
            assert np.nanmax(np.abs(values.astype(float) - tiled[layer].astype(float))) <= step


def test_a_network_is_given_the_order_that_the_recipe_names() -> None:
    seen: list[bool] = []
    loaded = network()
    loaded.module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].is_contiguous()))
    axis = HaloTiling(length=SIDE, multiple=1, halo=0, core=SIDE)
    layout = BlockGrid(height=SIDE, width=SIDE, block=SIDE, rows=axis, cols=axis)
    for order in ("contiguous", "channels_last"):
        Inference(loaded, replace(BASE, memory_format=order), torch.device("cpu"))(block(), layout)
    assert seen == [True, False]
