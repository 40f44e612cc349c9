import numpy as np
import pytest
import torch

from pipeline.inference.layers import probabilities
from tests.inference.layers.answers import answer, layer


@pytest.mark.parametrize(("dtype", "scale", "within"), [("uint8", 255, 0.5 / 255 + 1e-6), ("float16", 1, 2**-12)])
def test_every_class_has_a_plane(dtype: str, scale: int, within: float) -> None:
    logits = torch.randn(3, 6, 7) * 3
    made = probabilities.make(answer(logits, activation="softmax"), layer("probabilities", probabilities=dtype), 0.9)
    assert (made.shape, made.dtype) == ((3, 6, 7), getattr(torch, dtype))
    e = np.exp(logits.double().numpy())
    assert np.abs(made.double().numpy() / scale - e / e.sum(0)).max() <= within


def test_one_channel_gives_both_sides() -> None:
    made = probabilities.make(answer([[0.0, 0.2, 1.0]]), layer("probabilities", 2), 0.0)
    assert made.tolist() == [[[255, 204, 0]], [[0, 51, 255]]]


def test_a_background_without_a_channel_is_as_probable_as_that_the_likeliest_class_does_not_hold() -> None:
    made = probabilities.make(answer([[0.2, 0.6], [0.4, 0.8]], background=2, codes=(0, 1, 2)), layer("probabilities", 3), 0.0)
    assert made[:, 0].tolist() == [[51, 153], [102, 204], [153, 51]]


def test_what_a_network_gives_beyond_0_and_1_does_not_wrap_around() -> None:
    assert probabilities.make(answer([[-0.1], [1.1]]), layer("probabilities", 2), 0.0).flatten().tolist() == [0, 255]
