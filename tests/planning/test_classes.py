"""Classes that hold side by side: each channel a sigmoid, and a background where none does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, StoreError
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from tests import networks, scenes

BACKGROUND = {"name": "background", "role": "background", "code": 9}
FIRST = [BACKGROUND, *scenes.CLASSES]


def job(folder: Path, classes: list[dict[str, Any]] | None = FIRST, **output: Any) -> Path:
    return scenes.config(
        folder,
        model={"classes": classes, "output": {"multilabel": True, **output}},
        output={"layers": ["mask", "confidence"]},
    )


def made(path: Path) -> xarray.Dataset:
    with Progress() as progress:
        execute(prepare_job(load_config(path)), progress)
    return xarray.open_zarr(path.with_suffix(".zarr"), group="0", consolidated=False)


def probabilities(folder: Path) -> np.ndarray:
    """(classes, rows, cols) of one pass over the whole raster."""
    network = torch.jit.load(str(folder / "unet.pt"))
    raw = scenes.read(folder / "scene.tif")
    x = torch.from_numpy((raw - 500) / 200 * (raw != 0).any(0))[None]
    height, width = raw.shape[1:]
    with torch.no_grad():
        return torch.sigmoid(network(nn.functional.pad(x, (0, -width % 4, 0, -height % 4))))[
            0, :, :height, :width
        ].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.6, 0.65])
def test_a_pixel_is_the_likeliest_class_that_reaches_the_threshold_or_background(
    threshold: float, tmp_path: Path
) -> None:
    found = made(job(tmp_path, threshold=threshold))
    p = probabilities(tmp_path)
    best, held = p.max(0), p.max(0) >= threshold
    valid = (scenes.read(tmp_path / "scene.tif") != 0).any(0)
    expected = np.where(valid, np.where(held, p.argmax(0), 9), 255)
    # listed before the channels' classes, the background takes its code 9 and leaves them 1 to 4
    expected = np.where(expected < 4, expected + 1, expected)
    assert 0.01 < held[valid].mean() < 0.99
    assert (found["mask"].values == expected).mean() > 0.9999
    sure = np.where(valid, np.where(held, best, 1 - best), 0)
    assert np.abs(found["confidence"].values - 255 * sure).max() <= 1


@pytest.mark.slow
def test_a_background_with_a_channel_of_its_own_keeps_its_probability(tmp_path: Path) -> None:
    classes = [{**scenes.CLASSES[0], "role": "background"}, *scenes.CLASSES[1:]]
    found, p = made(job(tmp_path, classes, threshold=0.6)), probabilities(tmp_path)
    valid, held = (scenes.read(tmp_path / "scene.tif") != 0).any(0), p.max(0) >= 0.6
    assert (found["mask"].values == np.where(valid, np.where(held, p.argmax(0), 0), 255)).mean() > 0.9999
    assert np.abs(found["confidence"].values - 255 * np.where(valid, np.where(held, p.max(0), p[0]), 0)).max() <= 1


@pytest.mark.slow
def test_without_a_list_a_background_is_added(tmp_path: Path) -> None:
    rows = prepare_job(load_config(job(tmp_path, None))).spec.classes
    assert [(row.code, row.role) for row in rows] == [(0, None), (1, None), (2, None), (3, None), (4, "background")]


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (scenes.CLASSES, "needs one class with role: background"),
        ([BACKGROUND, BACKGROUND, *scenes.CLASSES], "needs one class with role: background"),
        ([BACKGROUND, *scenes.CLASSES[:2]], "lists 3 classes, but the network returns 4"),
    ],
)
def test_a_list_that_leaves_pixels_without_a_name_is_refused(
    classes: list[dict[str, Any]], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        prepare_job(load_config(job(tmp_path, classes)))


def one_logit(folder: Path, threshold: Any, classes: list[dict[str, Any]] | None = None) -> Path:
    path = folder / "one.pt"
    path = path if path.exists() else scenes.script(networks.Twice(classes=1), path)
    return scenes.config(folder, model={"path": str(path), "classes": classes, "output": {"threshold": threshold}})


@pytest.mark.slow
def test_thresholds_of_one_logit_make_one_class_more_than_there_are(tmp_path: Path) -> None:
    made = prepare_job(load_config(one_logit(tmp_path, [0.3, 0.5, 0.9])))
    assert [row.code for row in made.spec.classes] == [0, 1, 2, 3]
    assert made.task.recipe.decoding.threshold == (0.3, 0.5, 0.9)
    assert prepare_job(load_config(one_logit(tmp_path, [0.4]))).task.recipe.decoding.threshold == 0.4


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        ([0.7, 0.3], r"lists \[0.7, 0.3\], which does not increase"),
        ([0.3, 0.3], r"lists \[0.3, 0.3\], which does not increase"),
        ([0.3, 0.7], "lists 2 classes, but the network returns one logit, which means 3 classes with its 2 thresholds"),
    ],
)
def test_thresholds_that_cut_nothing_are_refused(threshold: list[float], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        prepare_job(load_config(one_logit(tmp_path, threshold, scenes.CLASSES[:2])))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("multilabel", "words"),
    [(False, "4 classes, of which the likeliest wins"), (True, "lists 2 thresholds, but the network has 4 channels")],
)
def test_a_list_of_thresholds_for_several_channels_has_one_of_each(
    multilabel: bool, words: str, tmp_path: Path
) -> None:
    path = job(tmp_path, FIRST if multilabel else scenes.CLASSES, multilabel=multilabel, threshold=[0.3, 0.7])
    with pytest.raises(ConfigError, match=words):
        prepare_job(load_config(path))
    assert prepare_job(load_config(job(tmp_path, threshold=[0.7, 0.3, 0.3, 0.5]))).task.recipe.decoding.threshold == (
        0.7,
        0.3,
        0.3,
        0.5,
    )


def test_a_softmax_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="multilabel needs activation sigmoid"):
        load_config(job(tmp_path, activation="softmax"))


@pytest.mark.slow
def test_a_store_of_one_meaning_is_not_gone_on_with_in_another(tmp_path: Path) -> None:
    made(job(tmp_path, activation="sigmoid"))
    with pytest.raises(StoreError, match=r"model\.output\.activation was sigmoid of each class, else code 9"):
        prepare_job(
            load_config(
                job(tmp_path),
                ["model.output.multilabel=false", f"model.classes={scenes.CLASSES}", "model.output.activation=sigmoid"],
            )
        )
