from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.models.fcn8s import FCN8s
from pipeline.models.weights import read_meta
from pipeline.raster.window import Window
from pipeline.stages.normalise import Normalisation
from pipeline.training.loop import Schedule, fit
from pipeline.training.metrics import Confusion
from pipeline.training.recipes import RECIPES, train
from pipeline.training.windows import IGNORE, Scene, batches, scene
from tests import scenes

HOW = Normalisation(scale=(1e-3,) * 3, offset=(0.0,) * 3, mean=(0.5,) * 3, std=(0.3,) * 3)


@pytest.fixture
def pair(tmp_path: Path) -> Scene:
    """Labels are 1 where the first band is above its middle: a task that one convolution can learn."""
    data = scenes.position(160, 200)
    label = (data[:1] > 80).astype("uint8")
    data[:, :20, :30] = 0
    raster = scenes.write(tmp_path / "a.tif", data, nodata=0)
    return scene(str(raster), str(scenes.write(tmp_path / "b.tif", label)))


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


def test_the_loop_lowers_the_loss_and_leaves_the_network_in_eval_mode(pair: Scene) -> None:
    network, losses = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1)), []
    fit(network, batches([pair], HOW, side=48, count=4, jitter=0.0, seed=1), Schedule(steps=60, rate=0.3), lambda _, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    assert not network.training


def test_iou_against_brute_force() -> None:
    rng = np.random.default_rng(0)
    label, mask = rng.integers(0, 4, (2, 50, 60)).astype("uint8")
    label[rng.random(label.shape) < 0.1] = 255
    mask[rng.random(mask.shape) < 0.1] = 255
    found = Confusion(4)
    found.add(label[:20], mask[:20])
    found.add(label[20:], mask[20:])
    known = (label != 255) & (mask != 255)
    for k in range(4):
        hit, either = ((label == k) & (mask == k) & known).sum(), (((label == k) | (mask == k)) & known).sum()
        assert np.isclose(found.iou()[k], hit / either)


@pytest.mark.parametrize("name", RECIPES)
def test_judges_are_never_learnt_from(name: str) -> None:
    recipe = RECIPES[name]
    if recipe.learns is None or recipe.judged is None:
        assert not set(recipe.scenes) & set(recipe.judges)
    else:
        assert recipe.learns.cols.stop <= recipe.judged.cols.start


@pytest.mark.slow
def test_a_recipe_writes_weights_that_say_all_that_run_needs(tmp_path: Path) -> None:
    out = tmp_path / "ihc.safetensors"
    train(RECIPES["ihc"], out, steps=2)
    meta = read_meta(out)
    assert meta == RECIPES["ihc"].meta
    assert FCN8s(**meta.args)
