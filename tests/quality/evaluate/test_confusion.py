import numpy as np
import pytest

from pipeline.quality.evaluate.confusion import Confusion, mean


def counted(counts: list[list[int]]) -> Confusion:
    found = Confusion(len(counts))
    found.counts[:] = counts
    return found


def test_counts_and_iou_against_brute_force_over_every_labelled_pixel() -> None:
    rng = np.random.default_rng(0)
    label, mask = rng.integers(0, 4, (2, 50, 60)).astype("uint8")
    label[rng.random(label.shape) < 0.1] = 255
    mask[rng.random(mask.shape) < 0.1] = 255
    found = Confusion(4)
    found.add(label[:20], mask[:20])
    found.add(label[20:], mask[20:])
    known = label != 255
    assert found.pixels == known.sum()
    assert found.unpredicted == ((mask == 255) & known).sum()
    for k in range(4):
        hit, mine, theirs = ((label == k) & (mask == k)).sum(), (label == k).sum(), ((mask == k) & known).sum()
        assert np.isclose(found.iou()[k], hit / (mine + theirs - hit))
        assert np.isclose(found.f1()[k], 2 * hit / (mine + theirs))
        assert np.isclose(found.precision()[k], hit / theirs)
        assert np.isclose(found.recall()[k], hit / mine)


def test_numbers_worked_by_hand() -> None:
    """50 pixels: 20 of 25 right in the one class, 15 of 25 in the other; chance is ½·⅗ + ½·⅖ = ½."""
    found = counted([[20, 5, 0], [10, 15, 0]])
    assert found.iou() == pytest.approx([20 / 35, 15 / 30])
    assert found.f1() == pytest.approx([40 / 55, 30 / 45])
    assert found.precision() == pytest.approx([20 / 30, 15 / 20])
    assert found.recall() == pytest.approx([20 / 25, 15 / 25])
    assert found.accuracy() == pytest.approx(0.7)
    assert found.kappa() == pytest.approx(0.4)
    assert found.weighted_iou() == pytest.approx(0.5 * 20 / 35 + 0.5 * 15 / 30)
    assert mean(found.iou()) == pytest.approx((20 / 35 + 0.5) / 2)


def test_a_hole_in_the_mask_is_a_miss_in_every_number() -> None:
    found = counted([[15, 0, 5], [0, 20, 0]])
    assert found.iou() == pytest.approx([0.75, 1])
    assert found.recall() == pytest.approx([0.75, 1])
    assert found.precision() == pytest.approx([1, 1])
    assert found.accuracy() == pytest.approx(35 / 40)
    assert found.kappa() == pytest.approx((35 / 40 - (20 * 15 + 20 * 20) / 1600) / (1 - (20 * 15 + 20 * 20) / 1600))
    assert found.unpredicted == 5


def test_frequency_weighs_classes_by_their_labels() -> None:
    found = counted([[90, 0, 0], [5, 5, 0]])
    assert found.weighted_iou() == pytest.approx(0.9 * 90 / 95 + 0.1 * 0.5)


def test_a_class_that_is_nowhere_has_no_iou_and_one_that_is_only_predicted_has_0() -> None:
    found = Confusion(4)
    found.add(np.array([[0, 1, 0]], "uint8"), np.array([[0, 0, 3]], "uint8"))
    assert np.isnan(found.iou()[2])
    assert np.isnan(found.f1()[2])
    assert found.iou()[1] == found.iou()[3] == 0
    assert np.isnan(found.recall()[3])
    assert np.isnan(found.precision()[1])
    assert mean(found.iou()) == pytest.approx(1 / 3 / 3)


def test_nothing_labelled_gives_no_number_and_no_warning() -> None:
    found = Confusion(2)
    assert all(np.isnan(value) for value in (found.accuracy(), found.kappa(), found.weighted_iou(), mean(found.iou())))


def test_agreement_that_chance_explains_wholly_has_no_kappa() -> None:
    assert np.isnan(counted([[7, 0, 0], [0, 0, 0]]).kappa())
