from itertools import islice
from pathlib import Path

import pytest
import torch

from pipeline.raster.window import Window
from pipeline.training.windows import IGNORE, Scene, batches, scene
from tests import scenes
from tests.training import HOW


def test_windows_and_labels_fit_after_turning_and_nodata_teaches_nothing(pair: Scene) -> None:
    for batch in islice(batches([pair], HOW, side=48, count=4, jitter=0.0, seed=3), 8):
        first = (batch.x[:, 0] * 0.3 + 0.5) * 1e3
        known = batch.y != IGNORE
        assert ((first > 80.5).long()[known] == batch.y[known]).all()
        assert (batch.x.abs().sum(1)[~known] == 0).all()


def test_the_same_seed_draws_the_same_windows(pair: Scene) -> None:
    first, again, other = (next(batches([pair], HOW, side=32, count=3, jitter=0.1, seed=seed)).x for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_windows_stay_in_the_area_that_may_be_learnt_from(pair: Scene) -> None:
    area = Window(row=64, col=96, height=40, width=50)
    narrow = Scene(raster=pair.raster, labels=pair.labels, area=area)
    rows = [(batch.x[:, 0] * 0.3 + 0.5) * 1e3 - 1 for batch in islice(batches([narrow], HOW, side=32, count=4, jitter=0.0, seed=1), 5)]
    assert min(float(r.min()) for r in rows) >= 63.9
    assert max(float(r.max()) for r in rows) <= 104.1


def test_jitter_changes_brightness_and_no_label(pair: Scene) -> None:
    plain, jittered = (next(batches([pair], HOW, side=32, count=1, jitter=jitter, seed=5)) for jitter in (0.0, 0.2))
    assert torch.equal(plain.y, jittered.y)
    gain = ((jittered.x * 0.3 + 0.5) / (plain.x * 0.3 + 0.5)).flatten(2)
    known = (plain.x.abs().sum(1) > 0).flatten(1)
    for band in gain[0]:
        assert torch.allclose(band[known[0]], band[known[0]][:1], atol=1e-3)
        assert 1e-4 < abs(float(band[known[0]][0]) - 1) <= 0.2 * 1.3


def test_labels_of_another_size_are_refused(tmp_path: Path) -> None:
    raster, labels = scenes.write(tmp_path / "a.tif", scenes.position(40, 50)), scenes.write(tmp_path / "b.tif", scenes.position(40, 51, 1))
    with pytest.raises(ValueError, match="differ in size"):
        scene(str(raster), str(labels))
