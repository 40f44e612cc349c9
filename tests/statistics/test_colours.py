"""Colours are counted once, whatever the parts and their order."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.statistics.colours import count_colours

PIXELS = np.random.default_rng(0).integers(0, 6, (3, 5000)).astype(np.uint8)


@pytest.mark.parametrize("cuts", [[], [1, 7, 4000], [2500]])
def test_each_colour_is_counted_in_whatever_parts(cuts: list[int]) -> None:
    colours = count_colours(reversed(np.split(PIXELS, cuts, axis=1)))
    rgb, counts = np.unique(PIXELS.T, axis=0, return_counts=True)
    assert (colours.rgb == rgb).all()
    assert (colours.counts == counts).all()
    assert colours.pixels == 5000


@pytest.mark.parametrize("count", [1, 2, 3, 4999, 5000])
def test_percentiles_are_those_of_the_pixels(count: int) -> None:
    pixels = PIXELS[:, :count]
    colours = count_colours([pixels])
    weights = np.array([0.3, -1.0, 0.11])
    percents = (0.0, 1.0, 37.5, 99.0, 100.0)
    expected = np.percentile(weights @ pixels, percents)
    assert colours.percentiles(colours.rgb @ weights, percents) == pytest.approx(expected.tolist(), abs=1e-12)
