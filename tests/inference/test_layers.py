"""All layers together: what nothing is known of, and jobs that write every one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray
import zarr
from torch import nn

from pipeline.config.load import load_config
from pipeline.geometry.window import Window
from pipeline.inference.class_decoding import ClassDecoding
from pipeline.inference.layers import KINDS, decoded, filled
from pipeline.inference.recipe import Recipe
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from pipeline.store.layers import LAYERS
from tests import networks, scenes
from tests.inference.fields import recipe

ALL = ["mask", "confidence", "probabilities", "entropy"]
BACKGROUND = {"name": "background", "role": "background", "code": 9}


def three_classes(**changes: Any) -> Recipe:
    how = ClassDecoding(activation="softmax", threshold=0.5, codes=(0, 1, 2))
    return replace(recipe(blended=False), **{"layers": tuple(ALL), "decoding": how, **changes})


def made(path: Path) -> xarray.Dataset:
    with Progress() as progress:
        execute(prepare_job(load_config(path)), progress)
    return xarray.open_zarr(path.with_suffix(".zarr"), group="0", consolidated=False, mask_and_scale=False)


class Loud(nn.Module):
    """A small U-Net that is sure of itself here and there."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.quiet = networks.lively(networks.UNet(classes=classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 15 * self.quiet(x)


def job(folder: Path, name: str = "job", channels: int = 4, **sections: dict[str, Any]) -> Path:
    """All layers of a small scene."""
    if not (folder / "scene.tif").exists():
        scenes.scene(folder / "scene.tif", 150, 210)
        scenes.script(Loud(channels), folder / "loud.pt")
    sections = {**sections, "model": {"path": str(folder / "loud.pt"), **sections.get("model", {})}}
    return scenes.config(folder, name, **{**sections, "output": {"layers": ALL, **sections.get("output", {})}})


def logits(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(channels, rows, cols) of one pass over the whole raster, and where it is valid."""
    raw = scenes.read(folder / "scene.tif")
    valid = (raw != 0).any(0)
    x = torch.from_numpy((raw - 500) / 200 * valid)[None]
    height, width = valid.shape
    with torch.no_grad():
        out = torch.jit.load(str(folder / "loud.pt"))(nn.functional.pad(x, (0, -width % 4, 0, -height % 4)))
    return out[0, :, :height, :width].double().numpy(), valid


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(0))
    return np.asarray(e / e.sum(0))


def close(layer: xarray.DataArray, expected: np.ndarray, valid: np.ndarray, fill: float) -> bool:
    """Equal up to rounding where valid, and the fill value elsewhere."""
    values = layer.values.astype(float)
    return bool(
        np.abs(values - expected)[..., valid].max() <= 1 and (np.isnan(fill) or (values[..., ~valid] == fill).all())
    )


def binary(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def test_every_layer_that_a_config_may_name_can_be_made() -> None:
    assert [*KINDS] == [*LAYERS] == [*ALL, "values", "variance"]


def test_nothing_known_is_nodata_and_no_class() -> None:
    found = filled(Window(row=7, col=9, height=4, width=5), three_classes())
    assert {name: (values.shape, values.dtype.name, float(values.flat[0])) for name, values in found.items()} == {
        "mask": ((4, 5), "uint8", 255),
        "confidence": ((4, 5), "uint8", 0),
        "probabilities": ((3, 4, 5), "uint8", 0),
        "entropy": ((4, 5), "uint8", 255),
    }
    half = filled(Window(row=0, col=0, height=2, width=2), three_classes(probabilities="float16"))["probabilities"]
    assert half.dtype == np.float16
    assert np.isnan(half).all()


def test_layers_come_in_the_shapes_and_dtypes_of_nothing_known() -> None:
    window = Window(row=0, col=0, height=6, width=7)
    for job in (
        three_classes(),
        three_classes(probabilities="float16", dtype="uint16", min_confidence=0.5),
        three_classes(layers=("mask", "entropy")),
    ):
        found, nothing = decoded(torch.randn(3, 6, 7), job.decoding, job), filled(window, job)
        assert {name: (v.shape, v.dtype) for name, v in found.items()} == {
            name: (v.shape, v.dtype) for name, v in nothing.items()
        }


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("zarr_format", [3, 2])
def test_classes_that_exclude_each_other(tmp_path: Path, zarr_format: int) -> None:
    found = made(job(tmp_path, output={"zarr_format": zarr_format}))
    z, valid = logits(tmp_path)
    p = softmax(z)
    assert (found["mask"].values == np.where(valid, p.argmax(0), 255)).mean() > 0.9999
    assert found["probabilities"].dims == ("class", "y", "x")
    assert close(found["probabilities"], 255 * p, valid, 0)
    assert close(found["confidence"], 255 * p.max(0), valid, 0)
    assert close(found["entropy"], -254 * (p * np.log(np.maximum(p, 1e-30))).sum(0) / np.log(4), valid, 255)
    assert found["class"].values.tolist() == [0, 1, 2, 3]
    assert 0.1 < found["entropy"].values[valid].mean() / 254 < 0.9


@pytest.mark.slow
def test_one_logit_cut_by_several_thresholds(tmp_path: Path) -> None:
    path = job(tmp_path, channels=1)  # makes the scene
    z, valid = logits(tmp_path)
    p = 1 / (1 + np.exp(-z[0]))
    low, high = (float(cut) for cut in np.quantile(p[valid], [0.3, 0.6]))
    classes = [{"name": name, "code": code} for name, code in (("unlikely", 3), ("possible", 5), ("certain", 8))]
    path = job(
        tmp_path,
        model={"classes": classes, "output": {"threshold": [low, high]}},
        output={"probabilities_dtype": "float16"},
    )
    found = made(path)
    expected = np.where(valid, np.array([3, 5, 8])[(p > low).astype(int) + (p > high)], 255)
    assert (found["mask"].values == expected).mean() > 0.9999
    assert close(found["confidence"], 255 * np.maximum(p, 1 - p), valid, 0)
    assert close(found["entropy"], 254 * binary(p), valid, 255)
    # the event and its opposite go by the outermost classes
    assert found["class"].values.tolist() == [3, 8]
    assert found["class"].attrs["flag_meanings"] == "unlikely certain"
    assert np.abs(found["probabilities"].values - np.stack([1 - p, p]))[:, valid].max() < 1e-3
    assert np.isnan(found["probabilities"].values[:, ~valid]).all()


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("quantiles", [[0.7], [0.7, 0.6, 0.8, 0.5]])
def test_classes_side_by_side_in_the_order_of_their_table(tmp_path: Path, quantiles: list[float]) -> None:
    job(tmp_path)  # makes the scene
    z, valid = logits(tmp_path)
    p = 1 / (1 + np.exp(-z))
    cuts = [float(np.quantile(plane[valid], q)) for plane, q in zip(p, quantiles * (4 // len(quantiles)), strict=True)]
    cuts = cuts if len(quantiles) > 1 else cuts[:1]
    model = {
        "classes": [BACKGROUND, *scenes.CLASSES],
        "output": {"multilabel": True, "threshold": cuts if len(cuts) > 1 else cuts[0]},
    }
    found = made(job(tmp_path, model=model))
    held = np.where(p >= np.reshape(cuts, (-1, 1, 1)), p, 0)
    mask = np.where(valid, np.where(held.max(0) > 0, held.argmax(0) + 1, 9), 255)
    assert (found["mask"].values == mask).mean() > 0.9999
    assert len(np.unique(mask)) >= 4
    assert found["class"].values.tolist() == [9, 1, 2, 3, 4]
    assert close(found["probabilities"], 255 * np.concatenate([1 - p.max(0, keepdims=True), p]), valid, 0)
    assert close(found["entropy"], 254 * binary(p).mean(0), valid, 255)
    agreed = valid & (found["mask"].values == mask)
    assert close(found["confidence"], 255 * np.where(held.max(0) > 0, held.max(0), 1 - p.max(0)), agreed, np.nan)


@pytest.mark.slow
def test_a_pixel_too_doubtful_for_the_mask_shows_why_in_the_others(tmp_path: Path) -> None:
    plain = made(job(tmp_path, "plain"))
    z, valid = logits(tmp_path)
    found = made(job(tmp_path, output={"min_confidence": 0.6}))
    doubt = valid & (softmax(z).max(0) < 0.6)
    assert 0.05 < doubt.mean() < 0.9
    assert (found["mask"].values == np.where(doubt, 255, plain["mask"].values)).mean() > 0.9999
    for layer in ALL[1:]:
        for k in range(3):
            at = [
                np.asarray(zarr.open_array(tmp_path / name / str(k) / layer, mode="r")[:])
                for name in ("plain.zarr", "job.zarr")
            ]
            assert (at[0] == at[1]).all(), (layer, k)


@pytest.mark.slow
def test_blended_probabilities_are_what_is_written(tmp_path: Path) -> None:
    found = made(job(tmp_path, tile={"size": 96, "overlap": 0.5, "blend": "probabilities"}))
    p = found["probabilities"].values.astype(int)
    valid = found["mask"].values != 255
    assert np.abs(p.sum(0)[valid] - 255).max() <= 2
    assert (p.max(0)[valid] == found["confidence"].values[valid]).all()
