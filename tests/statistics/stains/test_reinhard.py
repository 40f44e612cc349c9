"""Colours by Reinhard: mean and deviation in lαβ, and what a slide is brought to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.statistics.colours import count_colours
from pipeline.statistics.stains import reinhard, transfer_of
from tests.statistics.stained import tissue


def test_the_numbers_are_those_of_all_pixels() -> None:
    image = tissue(100)
    lab = reinhard.to_lab(image.reshape(-1, 3).astype(np.float64))
    numbers = reinhard.reinhard_numbers(count_colours([image.reshape(-1, 3).T]))
    assert numbers["mean"] == pytest.approx(lab.mean(0).tolist(), abs=1e-6)
    assert numbers["std"] == pytest.approx(lab.std(0).tolist(), abs=1e-6)


def test_white_and_grey_have_no_colour() -> None:
    (white, grey) = reinhard.to_lab(np.array([[255.0, 255, 255], [100, 100, 100]]))
    assert np.abs(white[1:]).max() < 0.01  # rows of the published matrix do not quite have the same sum
    assert white[0] - grey[0] == pytest.approx(np.log(2.55) * np.sqrt(3))


def test_a_slide_that_was_brought_to_another_has_its_numbers() -> None:
    first, other = (count_colours([image.reshape(-1, 3).T]) for image in (tissue(200), tissue(200, 1, grain=5)))
    target = reinhard.reinhard_numbers(other)
    record = {"method": "reinhard", "stain": reinhard.reinhard_numbers(first), "target": target}
    x = torch.from_numpy(np.moveaxis(tissue(200, 0), -1, 0).astype(np.float32))
    transfer_of(record, (0, 1, 2)).apply_to(x)
    changed = reinhard.reinhard_numbers(count_colours([x.numpy().reshape(3, -1).astype(np.uint8)]))
    assert changed["mean"] == pytest.approx(target["mean"], abs=0.03)
    assert changed["std"] == pytest.approx(target["std"], rel=0.1)


def test_one_colour_alone_is_told() -> None:
    with pytest.raises(ValueError, match="alike"):
        reinhard.reinhard_numbers(count_colours([np.full((3, 50), 90, np.uint8)]))
