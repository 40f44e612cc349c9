import pytest
import torch

from pipeline.inference.layers import mask
from tests.inference.layers.answers import answer, layer

SAID = [[0.5, 0.1, 0.4, 0.75], [0.2, 0.8, 0.35, 0.25], [0.3, 0.1, 0.25, 0.0]]


def test_the_mask_has_the_code_of_the_likeliest_class() -> None:
    assert mask.make(answer(SAID), layer("mask"), 0.0).tolist() == [[0, 1, 0, 0]]
    assert mask.make(answer(SAID, codes=(4, 7, 9)), layer("mask"), 0.0).tolist() == [[4, 7, 4, 4]]


@pytest.mark.parametrize(("least", "expected"), [(0.0, [0, 1, 0, 0]), (0.45, [0, 1, 255, 0]), (0.75, [255, 1, 255, 0]), (1.0, [255] * 4)])
def test_a_class_less_probable_than_asked_for_is_nodata(least: float, expected: list[int]) -> None:
    assert mask.make(answer(SAID), layer("mask"), least).tolist() == [expected]


def test_nodata_of_two_bytes_is_kept() -> None:
    made = mask.make(answer(SAID, codes=(1000, 2000, 3000)), layer("mask", dtype="uint16", nodata=65535), 0.45)
    assert (made.dtype, made.tolist()) == (torch.uint16, [[1000, 2000, 65535, 1000]])


def test_of_one_channel_the_surer_side_counts() -> None:
    assert mask.make(answer([[0.1, 0.45, 0.55, 0.9]]), layer("mask"), 0.6).tolist() == [[0, 255, 255, 1]]
