"""Numbers are compared in the spread of their own channel."""

import numpy as np
import pytest

from pipeline.geometry.window import Window
from pipeline.quality.verify.logit_differences import ComparisonWindow, logit_std
from pipeline.quality.verify.number_differences import SMALLEST_SHARE, ChannelErrors, differing_values, spread
from pipeline.store.values import ValuesSpec

WINDOW = Window(row=0, col=0, height=8, width=8)


def view(numbers: np.ndarray, at_seam: bool = True) -> ComparisonWindow:
    made = ComparisonWindow(WINDOW, is_at_seam=at_seam)
    made.fill(WINDOW, numbers, np.ones((8, 8), bool))
    return made


def test_the_spread_is_the_deviation_unless_numbers_lie_far_from_0() -> None:
    values = np.random.default_rng(0).normal(0, 3, 1000)
    assert spread(values) == pytest.approx(values.std())
    assert spread(np.full(10, 300.0)) == 300 * SMALLEST_SHARE
    assert spread(np.empty(0)) == 0


def test_the_worst_channel_is_worst_in_its_own_spread() -> None:
    rng = np.random.default_rng(1)
    reference = np.stack([rng.normal(0, 0.01, (8, 8)), rng.normal(0, 1000, (8, 8))]).astype(np.float32)
    ours = reference.copy()
    ours[0, 3, 3] += 0.005
    ours[1, 3, 3] += 50
    errors = ChannelErrors()
    errors.add(view(ours), reference)
    errors.add(view(reference, at_seam=False), reference)
    assert errors.worst() == 0
    seams, control = errors.seams[0], errors.control[0]
    assert (seams.windows, control.windows) == (1, 1)
    assert seams.largest / logit_std(seams, control) == pytest.approx(0.5, rel=0.2)
    assert control.largest == 0


def test_pixels_that_are_not_wanted_do_not_count() -> None:
    reference = np.arange(64, dtype=np.float32).reshape(1, 8, 8)
    ours = reference.copy()
    ours[:, 0] = np.nan
    errors = ChannelErrors()
    errors.add(view(ours), reference)
    assert errors.seams[0].near.pixels == 56
    assert errors.seams[0].largest == 0


FLOATS = ValuesSpec(channels=("a", "b"))
STEPS = ValuesSpec(channels=("a", "b"), dtype="int16", scale=(1.0, 1.0), offset=(0.0, 0.0), nodata=-32768)


@pytest.mark.parametrize(("spec", "small", "large"), [(FLOATS, 1e-4, 1e-2), (STEPS, 1, 2)], ids=["floats", "steps"])
def test_rounding_is_passed_over_and_more_is_not(spec: ValuesSpec, small: float, large: float) -> None:
    expected = np.random.default_rng(2).normal(0, 10, (2, 8, 8)).astype(spec.dtype)
    valid = np.ones((8, 8), bool)
    for change, differs in ((small, False), (large, True)):
        stored = expected.copy()
        stored[1, 2, 5] += np.array(change, dtype=spec.dtype)
        found = differing_values(stored, expected, valid, spec, "float32")
        assert found.any() == differs
        assert not differs or np.argwhere(found).tolist() == [[2, 5]]


@pytest.mark.parametrize("spec", [FLOATS, STEPS], ids=["floats", "steps"])
def test_a_number_where_none_is_wanted_and_none_where_one_is_are_differences(spec: ValuesSpec) -> None:
    expected = np.ones((2, 8, 8), dtype=spec.dtype)
    valid = np.ones((8, 8), bool)
    valid[0] = False
    expected[:, ~valid] = spec.fill
    assert not differing_values(expected, expected, valid, spec, "float32").any()
    stored = expected.copy()
    stored[0, 0, 1], stored[1, 4, 4] = 1, spec.fill
    assert np.argwhere(differing_values(stored, expected, valid, spec, "float32")).tolist() == [[0, 1], [4, 4]]
