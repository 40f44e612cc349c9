"""Stains by Macenko: as a plain implementation finds them, and what a slide is brought to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.config.stains import TARGETS
from pipeline.statistics.colours import ColourCounts, count_colours
from pipeline.statistics.stains import macenko, transfer_of
from tests.statistics.stained import VECTORS, angle, tissue

TARGET = TARGETS["macenko"].model_dump()


def colours_of(image: np.ndarray) -> ColourCounts:
    return macenko.stained(count_colours([image.reshape(-1, 3).T]))


def plainly(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The paper's steps on every pixel, by a singular value decomposition and least squares."""
    density = -np.log((image.reshape(-1, 3).astype(np.float64) + 1) / 240)
    density = density[(density >= 0.15).all(1)]
    _, _, axes = np.linalg.svd(density - density.mean(0), full_matrices=False)
    first, second = (axis * np.sign(axis.sum()) for axis in axes[:2])
    angles = np.percentile(np.arctan2(density @ second, density @ first), [1, 99])
    found = [np.cos(phi) * first + np.sin(phi) * second for phi in angles]
    vectors = np.array(max(found, key=lambda v: v[0])), np.array(min(found, key=lambda v: v[0]))
    concentrations = np.linalg.lstsq(np.array(vectors).T, density.T, rcond=None)[0]
    return np.array(vectors), np.percentile(concentrations, 99, axis=1)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_numbers_are_those_of_a_plain_implementation(seed: int) -> None:
    image = tissue(300, seed)
    numbers = macenko.macenko_numbers(colours_of(image))
    vectors, maxima = plainly(image)
    assert np.abs(np.array(numbers["vectors"]) - vectors).max() < 1e-5
    assert numbers["maxima"] == pytest.approx(maxima.tolist(), rel=1e-5)
    assert max(angle(*pair) for pair in zip(numbers["vectors"], VECTORS, strict=True)) < 0.5


def test_a_slide_that_was_brought_to_the_target_has_its_stains() -> None:
    image = tissue(300)
    record = {"method": "macenko", "stain": macenko.macenko_numbers(colours_of(image)), "target": TARGET}
    x = torch.from_numpy(np.moveaxis(image, -1, 0).astype(np.float32))
    transfer_of(record, (0, 1, 2)).apply_to(x)
    changed = macenko.macenko_numbers(colours_of(np.moveaxis(x.numpy(), 0, -1).astype(np.uint8)))
    assert max(angle(*pair) for pair in zip(changed["vectors"], TARGET["vectors"], strict=True)) < 2
    assert changed["maxima"] == pytest.approx(TARGET["maxima"], rel=0.05)


def test_one_stain_alone_is_told() -> None:
    shares = np.linspace(0.3, 2, 5000)[:, None]
    grey = (240 * np.exp(-shares * VECTORS[:1]) - 1).round().astype(np.uint8)
    with pytest.raises(ValueError, match="one stain alone"):
        macenko.macenko_numbers(colours_of(grey))
