import math

import numpy as np
import pytest
import torch

from pipeline.inference.layers import entropy
from tests.inference.layers.answers import answer, layer


def of(p: list[list[float]], background: int | None = None) -> float:
    return float(entropy.entropy(answer(p, background)).item())


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_certainty_is_0_and_all_alike_is_1_however_many_classes(classes: int) -> None:
    assert of([[1.0], *[[0.0]] * (classes - 1)]) == 0
    assert of([[1 / classes]] * classes) == pytest.approx(1)


def test_entropy_is_shannons_by_hand() -> None:
    # half, quarter, quarter: 1.5 bits of log2(3)
    assert of([[0.5], [0.25], [0.25]]) == pytest.approx(1.5 / math.log2(3))
    # one channel: an event of 1/4 has 2 − 3/4·log2(3) bits
    assert of([[0.25]]) == pytest.approx(2 - 0.75 * math.log2(3))
    assert of([[0.75]]) == pytest.approx(of([[0.25]]))


def test_where_classes_hold_side_by_side_each_channel_is_a_question_of_its_own() -> None:
    assert of([[0.5], [0.25], [1.0]], background=3) == pytest.approx((1 + of([[0.25]]) + 0) / 3)
    assert of([[0.25], [0.75]], background=0) == pytest.approx(of([[0.25]]))


def test_bytes_reach_254_and_leave_255_to_what_is_not_known() -> None:
    logits = torch.randn(4, 30, 30) * 3
    logits[:, 0, 0] = 0
    made = entropy.make(answer(logits, activation="softmax"), layer("entropy"), 0.9)
    p = torch.softmax(logits.double(), 0).numpy()
    assert np.abs(made.numpy() - 254 * -(p * np.log(p)).sum(0) / np.log(4)).max() <= 0.51
    assert (made.dtype, made[0, 0].item(), layer("entropy").fill) == (torch.uint8, 254, 255)
