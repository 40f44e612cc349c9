import numpy as np
import torch

from pipeline.inference.layers import confidence
from tests.inference.layers.answers import answer, layer


def test_confidence_is_the_probability_of_the_chosen_class_in_255ths() -> None:
    logits = torch.randn(3, 20, 20) * 4
    expected = np.round(255 * torch.softmax(logits.double(), 0).amax(0).numpy())
    assert np.abs(confidence.make(answer(logits, activation="softmax"), layer("confidence"), 0.0).numpy() - expected).max() <= 1
    assert confidence.make(answer([[-3.0]], activation="sigmoid"), layer("confidence"), 0.0).item() == round(255 / (1 + np.exp(-3.0)))


def test_probabilities_that_the_network_gives_are_not_squashed_again() -> None:
    assert confidence.make(answer([[0.2], [0.7], [0.1]]), layer("confidence"), 0.0).item() == round(255 * 0.7)


def test_pixels_that_the_mask_passes_over_keep_their_confidence() -> None:
    assert confidence.make(answer([[0.2], [0.4], [0.4]]), layer("confidence"), 0.9).item() == 102
