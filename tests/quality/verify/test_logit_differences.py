from dataclasses import replace

import numpy as np
import pytest

from pipeline.geometry.window import Window
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.normalise import Normalisation
from pipeline.inference.recipe import Recipe
from pipeline.quality.verify import logit_differences
from pipeline.quality.verify.logit_differences import ComparisonWindow, Differences, WindowErrors, logit_std, undecided

TWO = ClassDecoding(activation="softmax", threshold=0.5, codes=(0, 1))
ONE = ClassDecoding(activation="sigmoid", threshold=0.5, codes=(0, 1))
SIDE_BY_SIDE = ClassDecoding(activation="sigmoid", threshold=0.5, codes=(0, 1, 9), background=2)
CUT = ClassDecoding(activation="none", threshold=(0.3, 0.7), codes=(0, 1, 2))


def recipe(how: ClassDecoding, doubt: float = 0.0) -> Recipe:
    return Recipe(
        normalisation=Normalisation(scale=(1.0,), offset=(0.0,), mean=(0.0,), std=(1.0,)),
        decoding=how,
        layers=("mask", "entropy"),
        nodata=255,
        dtype="uint8",
        precision="float32",
        threads=1,
        taper="flat",
        blend="logits",
        overlapping=False,
        min_confidence=doubt,
    )


@pytest.mark.parametrize(
    ("how", "doubt", "logits", "expected"),
    [
        (TWO, 0.0, [[3.0, 1.0, 1.0, -2.0], [1.0, 1.00001, 1.5, -2.0]], [False, True, False, True]),
        (TWO, 0.8807971, [[3.0, 2.0, 1.0, -2.0], [1.0, 0.0, 1.5, -2.0]], [True, True, False, False]),
        (ONE, 0.0, [[3.0, 0.00001, -1.0, -0.00001]], [False, True, False, True]),
        (CUT, 0.0, [[0.1, 0.30001, 0.5, 0.69999]], [False, True, False, True]),
        (SIDE_BY_SIDE, 0.0, [[3.0, 0.00001, -1.0, 2.0], [-1.0, -4.0, -3.0, 2.0]], [False, True, False, True]),
    ],
    ids=["two", "doubtful", "one", "cut", "side by side"],
)
def test_a_label_is_undecided_where_rounding_may_turn_it(
    how: ClassDecoding, doubt: float, logits: list[list[float]], expected: list[bool]
) -> None:
    values = np.array(logits, dtype=np.float32)[:, None]
    everywhere = np.ones(values.shape[1:], dtype=bool)
    assert undecided(values, recipe(how, doubt), everywhere)[0].tolist() == expected
    one = np.arange(len(expected))[None] == expected.index(True)
    assert undecided(values, recipe(how, doubt), one)[0].tolist() == one[0].tolist()
    assert not undecided(values, recipe(how, doubt), ~everywhere).any()
    values[:, 0, 1] = np.nan
    assert not undecided(values, recipe(how, doubt), everywhere)[0, 1]


def test_the_variance_that_follows_decides_no_label_and_is_not_compared() -> None:
    how = replace(recipe(TWO), has_variance=True)
    values = np.array([[3.0, 1.0], [1.0, 1.00001], [9.0, 0.0], [0.0, 9.0]], dtype=np.float32)[:, None]
    assert undecided(values, how, np.ones((1, 2), dtype=bool))[0].tolist() == [False, True]
    view = ComparisonWindow(Window(row=0, col=0, height=1, width=2), is_at_seam=True, logits=values)
    view.near[:] = True
    answer = view.answer(how)
    np.testing.assert_array_equal(answer.logits, values[:2])
    assert answer.near.all()


def test_only_pixels_that_are_asked_about_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, labels = [], logit_differences._labels
    monkeypatch.setattr(
        logit_differences, "_labels", lambda said, how: (decoded.append(said.shape), labels(said, how))[1]
    )
    logits = np.random.default_rng(0).normal(0, 1, (2, 30, 30)).astype(np.float32)
    before, where = logits.copy(), np.zeros((30, 30), dtype=bool)
    where[3, [4, 9]] = True
    undecided(logits, recipe(TWO), where)
    assert set(decoded) == {(2, 1, 2)}
    assert (logits == before).all()


def test_errors_are_counted_near_and_away_from_seams_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(0, 2, (3, 8, 8)).astype(np.float32)
    view, tally = ComparisonWindow(Window(row=0, col=0, height=8, width=8), is_at_seam=True), WindowErrors()
    ours = reference.copy()
    ours[1, 2, 2] += 1
    ours[:, 0, 0] = np.nan
    view.fill(view.window, ours, np.repeat(np.arange(8) < 4, 8).reshape(8, 8))
    flipped = np.zeros((8, 8), bool)
    flipped[[0, 2, 7], [0, 2, 7]] = True
    tally.add(view, reference, flipped)
    std = logit_std(tally)
    assert std == pytest.approx(reference[:, ~np.isnan(ours[0])].std(), rel=1e-5)
    said = tally.document(std, by_distance=True)
    assert (said["pixels"], said["near"]["pixels"], said["away"]["pixels"]) == (63, 31, 32)
    assert (said["flips"], said["near"]["flips"], said["away"]["flips"]) == (2, 1, 1)
    assert said["max"] == said["near"]["max"] == pytest.approx(1 / std, rel=1e-3)
    assert said["away"]["max"] == 0
    assert said["rms"] == pytest.approx((1 / 63) ** 0.5 / std, rel=1e-3)


def test_what_is_not_finite_is_no_number_of_json() -> None:
    found = Differences()
    found.add(np.array([np.inf]), np.array([True]))
    assert found.document(1.0)["max"] is None
