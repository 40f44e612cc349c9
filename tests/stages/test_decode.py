import numpy as np
import pytest
import torch

from pipeline.stages.decode import Decoding, codes, confidence, indices


def how(activation: str = "softmax", threshold: float = 0.5, classes: int = 3) -> Decoding:
    return Decoding(activation=activation, threshold=threshold, codes=tuple(range(classes)))  # type: ignore[arg-type]


def test_the_running_maximum_is_argmax() -> None:
    logits = torch.randn(7, 30, 40)
    assert torch.equal(indices(logits, how()), logits.argmax(0).to(torch.uint8))


def test_ties_go_to_the_lower_class() -> None:
    assert indices(torch.tensor([1.0, 2.0, 2.0])[:, None, None], how()).item() == 1


@pytest.mark.parametrize(("logit", "threshold", "expected"), [(0.1, 0.5, 1), (-0.1, 0.5, 0), (0.1, 0.7, 0), (-0.1, 0.3, 1)])
def test_one_logit_is_a_sigmoid_and_a_threshold(logit: float, threshold: float, expected: int) -> None:
    assert indices(torch.full((1, 1, 1), logit), how("sigmoid", threshold, 2)).item() == expected


def test_confidence_is_the_probability_of_the_chosen_class_in_255ths() -> None:
    logits = torch.randn(3, 20, 20) * 4
    expected = np.round(255 * torch.softmax(logits.double(), 0).amax(0).numpy())
    assert np.abs(confidence(logits, how()).numpy() - expected).max() <= 1
    assert confidence(torch.full((1, 1, 1), -3.0), how("sigmoid")).item() == round(255 / (1 + np.exp(-3.0)))


def test_probabilities_that_the_network_gives_are_not_squashed_again() -> None:
    assert confidence(torch.tensor([0.2, 0.7, 0.1])[:, None, None], how("none")).item() == round(255 * 0.7)


def test_codes_replace_indices() -> None:
    made = codes(torch.tensor([[0, 2, 1]], dtype=torch.uint8), Decoding(activation="softmax", threshold=0.5, codes=(10, 300, 7)), torch.uint16)
    assert made.tolist() == [[10, 7, 300]]
