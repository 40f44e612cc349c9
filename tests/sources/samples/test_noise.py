from collections.abc import Callable

import numpy as np
import pytest

from pipeline.geometry.window import Window
from pipeline.sources.samples import noise


@pytest.mark.parametrize("field", [noise.fractal, noise.distance_to_zero])
def test_a_field_is_the_same_whatever_window_it_is_seen_through(
    field: Callable[[Window, tuple[float, ...], int], noise.Field],
) -> None:
    whole = field(Window(row=0, col=0, height=90, width=120), (40, 13), 5)
    part = field(Window(row=31, col=47, height=20, width=30), (40, 13), 5)
    assert np.allclose(whole[31:51, 47:77], part, rtol=1e-3, atol=1e-5)
    assert whole.std() > 0.1


def test_a_field_goes_through_its_lattice_and_stays_between_its_neighbours() -> None:
    values = noise.smooth(Window(row=0, col=0, height=400, width=400), 40, 3)
    steps = np.abs(np.diff(values, axis=0)).max()
    assert steps < 2 * 1.5 / 40 * 1.01, "smoothstep rises at most 1.5 times as fast as a straight line"
    assert -1 <= values.min() < -0.5 < 0.5 < values.max() <= 1


def test_numbers_of_pixels_are_even_and_differ_by_seed() -> None:
    rows, cols = np.mgrid[:200, :200]
    first, other = (noise.pixels(rows, cols, seed) for seed in (1, 2))
    counts = np.histogram(first, bins=10, range=(0, 1))[0]
    assert counts.min() > 0.9 * first.size / 10
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("period", [3.7, 40.0, 900.0])
def test_a_field_at_points_is_the_field_of_their_pixels(period: float) -> None:
    window = Window(row=1000, col=2000, height=90, width=70)
    rows, cols = np.divmod(np.random.default_rng(0).permutation(90 * 70)[:200], 70)
    points = noise.smooth_at(rows + window.row, cols + window.col, period, 3)
    assert np.allclose(points, noise.smooth(window, period, 3)[rows, cols], atol=1e-6)


def test_a_smooth_field_of_a_part_is_that_of_the_whole_to_the_bit() -> None:
    whole = noise.smooth(Window(row=-50, col=30, height=300, width=200), 17.3, 5)
    assert (noise.smooth(Window(row=7, col=91, height=40, width=60), 17.3, 5) == whole[57:97, 61:121]).all()
