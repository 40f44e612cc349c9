"""A block on arrays is what the same block is with torch, and fails as that does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import InferenceError, Unfinished
from pipeline.inference.array_inference import ArrayInference
from pipeline.models.array_network import ArrayNetwork
from pipeline.models.loaded import Loaded
from pipeline.runtime.cancellation import CANCELLED
from pipeline.runtime.transfer.base import Arrays
from tests.inference.test_infer import LAYOUT, RECIPE, Counting, block
from tests.inference.test_infer import run as run_in_torch


class CountingArrays:
    """As `Counting`, of arrays."""

    def __init__(self, most: int = 10**9, bad: bool = False, error: Exception | None = None) -> None:
        self.most, self.bad, self.error, self.calls = most, bad, error, 0

    def __call__(self, image: np.ndarray, threads: int, regions: Any = None) -> np.ndarray:
        if self.error is not None:
            raise self.error
        if image.shape[2] * image.shape[3] > self.most:
            raise MemoryError
        self.calls += 1
        y = np.concatenate([image, -image], 1)
        return y * np.float32(np.nan) if self.bad else y


def run(network: CountingArrays, valid: np.ndarray | None = None) -> tuple[Arrays, int]:
    CANCELLED.clear()
    loaded = Loaded(module=torch.nn.Identity(), identity_fields={})
    return ArrayInference(ArrayNetwork(loaded=loaded, run=network), RECIPE)(block(valid), LAYOUT)


def test_layers_are_those_of_torch_and_invalid_pixels_are_filled() -> None:
    valid = np.random.default_rng(4).random((64, 64)) > 0.1
    arrays, _ = run(CountingArrays(), valid)
    expected, _ = run_in_torch(Counting(), block(valid))
    assert np.array_equal(arrays["mask"], expected["mask"])
    assert np.abs(arrays["confidence"].astype(int) - expected["confidence"]).max() <= 1
    assert (arrays["mask"][~valid] == 255).all()


def test_out_of_memory_halves_the_tile_and_changes_no_label() -> None:
    small = CountingArrays(most=48 * 48)
    arrays, halvings = run(small)
    assert (halvings, small.calls) == (1, 4)
    assert (arrays["mask"] == run(CountingArrays())[0]["mask"]).all()


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (CountingArrays(most=0), "cpu is out of memory even for the smallest tiles"),
        (CountingArrays(bad=True), "NaN or infinity at 4096 valid pixels"),
        (CountingArrays(error=RuntimeError("Non-zero status\nmat1 cannot")), "64×64 px: mat1"),
    ],
)
def test_what_fails_with_torch_fails_alike(network: CountingArrays, words: str) -> None:
    with pytest.raises(InferenceError, match=words):
        run(network)


def test_what_a_network_says_of_invalid_pixels_does_not_matter() -> None:
    arrays, _ = run(CountingArrays(bad=True), np.zeros((64, 64), bool))
    assert (arrays["mask"] == RECIPE.nodata).all()


def test_a_run_that_is_stopped_ends_between_tiles() -> None:
    loaded = Loaded(module=torch.nn.Identity(), identity_fields={})
    CANCELLED.set()
    with pytest.raises(Unfinished):
        ArrayInference(ArrayNetwork(loaded=loaded, run=CountingArrays()), RECIPE)(block(), LAYOUT)
    CANCELLED.clear()
