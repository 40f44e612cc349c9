"""A map of what is judged is every n-th pixel of it, whatever the pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.geometry.window import Window
from pipeline.quality.evaluate import samples
from pipeline.quality.evaluate.evaluate import evaluate
from pipeline.quality.evaluate.samples import PairSamples
from tests.quality.evaluate.stores import Known, store
from tests.quality.evaluate.test_evaluate import pair


@pytest.mark.parametrize("side", [64, 100])
def test_samples_are_every_third_pixel_of_the_window_whatever_the_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    monkeypatch.setattr(samples, "MAX_SAMPLED_SIDE", 40)
    label, mask = pair()
    opened, window = store(tmp_path / "a.zarr", mask), Window(row=11, col=7, height=97, width=120)
    kept = PairSamples.of_classes(window, 3)
    evaluate(opened, Known(opened.grid, label), area=window, samples=kept, side=side)
    assert kept.step == 3
    index = {0: 0, 3: 1, 7: 2}
    for whole, part in ((label, kept.label), (mask, kept.layer)):
        expected = np.vectorize(lambda code: index.get(code, 3))(whole[window.slices][::3, ::3])
        assert np.array_equal(part, expected)
    assert kept.label.nbytes < 40 * 40 * 3


def test_what_no_piece_covers_stays_nothing() -> None:
    window = Window(row=0, col=0, height=4, width=6)
    kept = PairSamples.of_numbers(window)
    kept.add(Window(row=0, col=2, height=4, width=2), np.ones((4, 2)), np.zeros((4, 2)))
    assert np.array_equal(np.isnan(kept.label[0]), [True, True, False, False, True, True])
    assert np.array_equal(kept.layer[:, 2:4], np.zeros((4, 2)))
