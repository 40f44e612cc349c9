import numpy as np

from pipeline.training.metrics import Confusion


def test_iou_against_brute_force_over_every_labelled_pixel() -> None:
    rng = np.random.default_rng(0)
    label, mask = rng.integers(0, 4, (2, 50, 60)).astype("uint8")
    label[rng.random(label.shape) < 0.1] = 255
    mask[rng.random(mask.shape) < 0.1] = 255
    found = Confusion(4)
    found.add(label[:20], mask[:20])
    found.add(label[20:], mask[20:])
    known = label != 255
    for k in range(4):
        hit, either = ((label == k) & (mask == k) & known).sum(), (((label == k) | (mask == k)) & known).sum()
        assert np.isclose(found.iou()[k], hit / either)


def test_a_hole_in_the_mask_is_a_miss() -> None:
    found = Confusion(2)
    found.add(np.zeros((4, 5), "uint8"), np.where(np.arange(20).reshape(4, 5) < 5, 255, 0).astype("uint8"))
    assert found.iou()[0] == 0.75


def test_a_class_that_is_nowhere_has_no_iou() -> None:
    found = Confusion(3)
    found.add(np.array([[0, 1]], "uint8"), np.array([[0, 0]], "uint8"))
    assert np.isnan(found.iou()[2])
    assert found.iou()[1] == 0
