from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.errors import ModelError
from pipeline.geometry.window import Window
from pipeline.interfaces import InputConstraints
from pipeline.models.array_network import ArrayNetwork
from pipeline.models.loaded import Loaded

RNG = np.random.default_rng(0)
WHOLE = Window(row=0, col=0, height=24, width=36)


def network(scores: np.ndarray, batch: int | None = None) -> ArrayNetwork:
    loaded = Loaded(module=torch.nn.Identity(), identity_fields={}, accepts=InputConstraints(batch=batch))
    return ArrayNetwork(loaded=loaded, run=lambda image, threads, regions=None: scores)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 12])
def test_scores_are_enlarged_as_by_torch(factor: int) -> None:
    scores = RNG.normal(size=(1, 5, 24 // factor, 36 // factor)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(scores), size=(24, 36), mode="bilinear", align_corners=False)
    image = np.zeros((1, 3, 24, 36), np.float32)
    assert np.allclose(network(scores)(image, WHOLE, 1), expected[0].numpy(), atol=1e-5)
    part = Window(row=3, col=8, height=10, width=11)
    assert np.allclose(network(scores)(image, part, 1), expected[0].numpy()[(..., *part.slices)], atol=1e-5)


def test_a_network_of_a_fixed_batch_is_given_as_many_images() -> None:
    given = []

    def run(image: np.ndarray, threads: int, regions: object = None) -> np.ndarray:
        given.append(image.shape)
        return np.ones((len(image), 2, 24, 36), np.float16)

    loaded = Loaded(module=torch.nn.Identity(), identity_fields={}, accepts=InputConstraints(batch=4))
    logits = ArrayNetwork(loaded=loaded, run=run)(np.zeros((1, 3, 24, 36), np.float32), WHOLE, 1)
    assert given == [(4, 3, 24, 36)]
    assert (logits.shape, logits.dtype) == ((2, 24, 36), np.float32)


@pytest.mark.parametrize("shape", [(1, 2, 7, 36), (1, 2, 12, 12), (2, 2, 24, 36), (1, 24, 36)])
def test_what_is_no_score_of_each_pixel_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="The network returned"):
        network(np.zeros(shape, np.float32))(np.zeros((1, 3, 24, 36), np.float32), WHOLE, 1)
