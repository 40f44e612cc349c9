"""Each layer of a tile, against arithmetic by hand."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.inference import layers
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.decode import DecodedTile
from pipeline.inference.recipe import Recipe
from pipeline.store.values import ValuesSpec
from tests.inference.answers import answer, layer
from tests.inference.fields import recipe

SAID = [[0.5, 0.1, 0.4, 0.75], [0.2, 0.8, 0.35, 0.25], [0.3, 0.1, 0.25, 0.0]]


def test_the_mask_has_the_code_of_the_likeliest_class() -> None:
    assert layers.mask(answer(SAID), layer("mask"), 0.0).tolist() == [[0, 1, 0, 0]]
    assert layers.mask(answer(SAID, codes=(4, 7, 9)), layer("mask"), 0.0).tolist() == [[4, 7, 4, 4]]


@pytest.mark.parametrize(
    ("least", "expected"), [(0.0, [0, 1, 0, 0]), (0.45, [0, 1, 255, 0]), (0.75, [255, 1, 255, 0]), (1.0, [255] * 4)]
)
def test_a_class_less_probable_than_asked_for_is_nodata(least: float, expected: list[int]) -> None:
    assert layers.mask(answer(SAID), layer("mask"), least).tolist() == [expected]


def test_nodata_of_two_bytes_is_kept() -> None:
    made = layers.mask(answer(SAID, codes=(1000, 2000, 3000)), layer("mask", dtype="uint16", nodata=65535), 0.45)
    assert (made.dtype, made.tolist()) == (torch.uint16, [[1000, 2000, 65535, 1000]])


def test_of_one_channel_the_surer_side_counts() -> None:
    assert layers.mask(answer([[0.1, 0.45, 0.55, 0.9]]), layer("mask"), 0.6).tolist() == [[0, 255, 255, 1]]


def test_confidence_is_the_probability_of_the_chosen_class_in_255ths() -> None:
    logits = torch.randn(3, 20, 20) * 4
    expected = np.round(255 * torch.softmax(logits.double(), 0).amax(0).numpy())
    assert (
        np.abs(
            layers.confidence(answer(logits, activation="softmax"), layer("confidence"), 0.0).numpy() - expected
        ).max()
        <= 1
    )
    assert layers.confidence(answer([[-3.0]], activation="sigmoid"), layer("confidence"), 0.0).item() == round(
        255 / (1 + np.exp(-3.0))
    )


def test_probabilities_that_the_network_gives_are_not_squashed_again() -> None:
    assert layers.confidence(answer([[0.2], [0.7], [0.1]]), layer("confidence"), 0.0).item() == round(255 * 0.7)


def test_pixels_that_the_mask_passes_over_keep_their_confidence() -> None:
    assert layers.confidence(answer([[0.2], [0.4], [0.4]]), layer("confidence"), 0.9).item() == 102


@pytest.mark.parametrize(("dtype", "scale", "within"), [("uint8", 255, 0.5 / 255 + 1e-6), ("float16", 1, 2**-12)])
def test_every_class_has_a_plane(dtype: str, scale: int, within: float) -> None:
    logits = torch.randn(3, 6, 7) * 3
    made = layers.probabilities(answer(logits, activation="softmax"), layer("probabilities", probabilities=dtype), 0.9)
    assert (made.shape, made.dtype) == ((3, 6, 7), getattr(torch, dtype))
    e = np.exp(logits.double().numpy())
    assert np.abs(made.double().numpy() / scale - e / e.sum(0)).max() <= within


def test_one_channel_gives_both_sides() -> None:
    made = layers.probabilities(answer([[0.0, 0.2, 1.0]]), layer("probabilities", 2), 0.0)
    assert made.tolist() == [[[255, 204, 0]], [[0, 51, 255]]]


def test_a_background_without_a_channel_is_as_probable_as_that_the_likeliest_class_does_not_hold() -> None:
    made = layers.probabilities(
        answer([[0.2, 0.6], [0.4, 0.8]], background=2, codes=(0, 1, 2)), layer("probabilities", 3), 0.0
    )
    assert made[:, 0].tolist() == [[51, 153], [102, 204], [153, 51]]


def test_what_a_network_gives_beyond_0_and_1_does_not_wrap_around() -> None:
    assert layers.probabilities(answer([[-0.1], [1.1]]), layer("probabilities", 2), 0.0).flatten().tolist() == [0, 255]


def of(p: list[list[float]], background: int | None = None) -> float:
    return float(layers.shannon_entropy(answer(p, background)).item())


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
    made = layers.entropy(answer(logits, activation="softmax"), layer("entropy"), 0.9)
    p = torch.softmax(logits.double(), 0).numpy()
    assert np.abs(made.numpy() - 254 * -(p * np.log(p)).sum(0) / np.log(4)).max() <= 0.51
    assert (made.dtype, made[0, 0].item(), layer("entropy").fill) == (torch.uint8, 254, 255)


def numbers(rows: list[list[float]], activation: Any = "none") -> DecodedTile:
    """Channels that mean no class, (channels, 1, pixels)."""
    how = ClassDecoding(activation=activation, threshold=0.5, codes=())
    return DecodedTile(torch.tensor(rows, dtype=torch.float32)[:, None], how)


def of_values(spec: ValuesSpec) -> Recipe:
    return replace(recipe(blended=False), layers=("values",), values=spec)


BYTES = ValuesSpec(channels=("a", "b"), dtype="int8", scale=(0.5, 10.0), offset=(1.0, 0.0), nodata=0)


def test_floats_are_the_numbers_themselves() -> None:
    tile = numbers([[1.5, -2.0]])
    assert layers.values(tile, layer("values", values=ValuesSpec(channels=("a",))), 0.0).tolist() == [[[1.5, -2.0]]]


def test_integers_are_steps_from_the_offset_clipped_and_never_nodata() -> None:
    tile = numbers([[2.0, 100.0, -100.0, 1.1], [1270.0, 1280.0, -1280.0, -1290.0]])
    made = layers.values(tile, layer("values", values=BYTES), 0.0)
    assert (made.dtype, made.tolist()) == (torch.int8, [[[2, 127, -128, 1]], [[127, 127, -128, -128]]])


def test_what_is_clipped_or_would_be_nodata_is_counted_where_it_is_wanted() -> None:
    tile = numbers([[2.0, 100.0, -100.0, 1.1], [1270.0, 1280.0, -1280.0, -1290.0]])
    assert layers.clipped(tile, of_values(BYTES), torch.ones(1, 4, dtype=torch.bool)).tolist() == [3, 2]
    assert layers.clipped(tile, of_values(BYTES), torch.tensor([[True, False, True, False]])).tolist() == [1, 0]


def test_half_floats_end_at_65504() -> None:
    spec = ValuesSpec(channels=("a",), dtype="float16")
    made = layers.values(numbers([[1e6, -1e6, 65504.0, 0.1]]), layer("values", values=spec), 0.0)
    assert (made.dtype, made.tolist()[0][0][:3]) == (torch.float16, [65504.0, -65504.0, 65504.0])
    assert layers.clipped(numbers([[1e6, -1e6, 65504.0]]), of_values(spec), torch.ones(1, 3, dtype=bool)).tolist() == [
        2
    ]


def test_numbers_take_a_named_activation_and_logits_of_classes_none() -> None:
    spec = layer("values", values=ValuesSpec(channels=("a",)))
    assert layers.values(numbers([[0.0]], "sigmoid"), spec, 0.0).tolist() == [[[0.5]]]
    assert layers.values(answer([[3.0], [1.0]], activation="softmax"), spec, 0.0).tolist() == [[[3.0]], [[1.0]]]
