"""Boundaries counted a window at a time, against the whole image and distances between all of its pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from pipeline.geometry.span import cut
from pipeline.geometry.window import Window
from pipeline.quality.evaluate.boundary_f1 import Boundaries, widen
from tests.quality.evaluate.stores import blobs
from tests.quality.labels import places


def boundary(values: np.ndarray, scored: np.ndarray, k: int) -> np.ndarray:
    """Pixels of a class that have a scored neighbour of another, one pixel at a time."""
    found = np.zeros(values.shape, bool)
    for row, col in np.argwhere((values == k) & scored):
        for r, c in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
            if 0 <= r < values.shape[0] and 0 <= c < values.shape[1] and scored[r, c] and values[r, c] != k:
                found[row, col] = True
    return found


def brute(label: np.ndarray, mask: np.ndarray, classes: int, tolerance: float) -> np.ndarray:
    """(classes, 4) labelled, found, predicted and right, by distances over the whole image."""
    scored, rows = label < classes, []
    for k in range(classes):
        mine, theirs = boundary(label, scored, k), boundary(mask, scored, k)
        near_mine, near_theirs = (
            distance_transform_edt(~edge) <= tolerance if edge.any() else edge for edge in (mine, theirs)
        )
        rows.append([mine.sum(), (mine & near_theirs).sum(), theirs.sum(), (theirs & near_mine).sum()])
    return np.array(rows)


def streamed(label: np.ndarray, mask: np.ndarray, classes: int, tolerance: int, side: int) -> Boundaries:
    found = Boundaries(classes, tolerance)
    height, width = label.shape
    for rows in cut(height, side):
        for cols in cut(width, side):
            frame = Window.of(rows.grow(found.halo), cols.grow(found.halo))
            found.add(
                places.cut(label, frame, classes).astype("uint16"), places.cut(mask, frame, classes).astype("uint16")
            )
    return found


def pair(classes: int, seed: int = 0, height: int = 70, width: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Labels with holes, and a mask that is moved, noisy and has holes of its own.

    An index beyond the classes is none.
    """
    rng = np.random.default_rng(seed)
    label = blobs(height, width, list(range(classes)), seed)
    mask = np.roll(label, (1, -2), (0, 1))
    mask[rng.random(mask.shape) < 0.02] = 0
    label[20:28, 30:45] = classes
    label[rng.random(label.shape) < 0.01] = classes
    mask[50:58, 10:35] = classes
    return label, mask


@pytest.mark.parametrize("tolerance", [0, 1, 2, 5])
@pytest.mark.parametrize("side", [7, 16, 33, 200])
def test_pieces_do_not_show(side: int, tolerance: int) -> None:
    label, mask = pair(4)
    found = streamed(label, mask, 4, tolerance, side)
    counts = np.stack([found.labelled, found.labelled_hits, found.predicted, found.predicted_hits], 1)
    assert (counts == brute(label, mask, 4, tolerance)).all()
    assert counts.min() > 0


@pytest.mark.parametrize("classes", [2, 9, 20, 40, 64, 70, 130])
def test_however_many_classes(classes: int) -> None:
    label, mask = pair(classes, 3)
    found = streamed(label, mask, classes, 2, 48)
    assert (
        np.stack([found.labelled, found.labelled_hits, found.predicted, found.predicted_hits], 1)
        == brute(label, mask, classes, 2)
    ).all()
    assert found.labelled[-1] > 0


@pytest.mark.slow
@given(st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_a_bit_spreads_over_a_disk(tolerance: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = np.where(rng.random((12, 17)) < 0.03, rng.integers(1, 8, (12, 17)), 0).astype("uint8")
    spread = widen(bits, tolerance)
    for bit in (1, 2, 4):
        there = (bits & bit) != 0
        expected = distance_transform_edt(~there) <= tolerance if there.any() else there
        assert (((spread & bit) != 0) == expected).all()


def test_f1_worked_by_hand() -> None:
    """A line one off its place, of 10 boundary pixels on each side.

    Then half of it in its place, and one pixel wrong in a corner, which has two neighbours.
    """
    label, mask = np.zeros((2, 10, 12), int)
    label[:, 6:], mask[:, 7:] = 1, 1
    assert streamed(label, mask, 2, 1, 5).f1() == pytest.approx([1, 1])
    assert streamed(label, mask, 2, 0, 5).f1() == pytest.approx([0, 0])
    mask[:5, 6], mask[9, 11] = 1, 0
    assert streamed(label, mask, 2, 0, 5).recall() == pytest.approx([0.5, 0.5])
    assert streamed(label, mask, 2, 0, 5).precision() == pytest.approx([5 / 11, 5 / 12])
    assert streamed(label, mask, 2, 0, 5).f1() == pytest.approx([10 / 21, 10 / 22])


def test_a_class_without_a_boundary_has_no_f1_and_one_that_is_missed_has_0() -> None:
    label, mask = np.zeros((2, 10, 12), int)
    label[3:6, 3:6] = 1
    assert streamed(label, mask, 3, 2, 5).f1()[1] == 0
    assert np.isnan(streamed(label, mask, 3, 2, 5).f1()[2])
    assert np.isnan(streamed(mask, mask, 3, 2, 5).f1()).all()


def test_the_edge_of_what_is_labelled_is_no_boundary() -> None:
    label = np.zeros((10, 12), int)
    label[:, 6:] = 2
    assert streamed(label, np.zeros((10, 12), int), 2, 2, 5).labelled.sum() == 0
