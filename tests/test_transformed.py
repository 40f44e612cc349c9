"""Jobs whose raw pixels are changed by the user's code before they are normalised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from pipeline.config.load import load_config
from pipeline.errors import BlocksFailed, ConfigError, ModelError, StoreError
from pipeline.planning.freeze import freeze
from pipeline.planning.prepare import prepare_job
from tests import runs, scenes
from tests.test_network_identity import forget

LOG = "import torch\n\n\ndef stretch(x):\n    return torch.log(x)\n"
SCALED = {"transform": "raw.py:stretch", "mean": 6.2, "std": 0.3}


class Bright(torch.nn.Module):
    """Class 1 where the first band is above 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([-x[:, :1], x[:, :1]], 1)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    scenes.scene(tmp_path / "scene.tif", 90, 130)
    (tmp_path / "raw.py").write_text(LOG)
    model = {"path": str(scenes.script(Bright(), tmp_path / "net.pt")), "input": SCALED, "classes": scenes.CLASSES[:2]}
    return scenes.config(tmp_path, model=model, output={"block": 64})


def mask(folder: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(folder / "job.zarr" / "0" / "mask", mode="r")[:])


@pytest.mark.slow
def test_the_network_sees_what_the_code_makes_of_raw_pixels_and_then_the_rest(job: Path, tmp_path: Path) -> None:
    runs.go(job)
    raw = scenes.read(tmp_path / "scene.tif")
    with np.errstate(divide="ignore"):
        right = np.log(raw[0]) > 6.2
    assert (mask(tmp_path) == np.where((raw == 0).all(0), 255, right)).all()
    assert 0.1 < right.mean() < 0.9


@pytest.mark.slow
def test_edited_code_is_another_job_and_a_copy_of_it_elsewhere_is_not(job: Path, tmp_path: Path) -> None:
    runs.go(job)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "raw.py").write_text(LOG)
    assert runs.go(job, f"model.input.transform={tmp_path}/lib/raw.py:stretch").done == 0
    (tmp_path / "raw.py").write_text(LOG.replace("log", "log1p"))
    with pytest.raises(StoreError, match=r"model\.input\.transform was .*--fresh"):
        runs.go(job)
    with pytest.raises(StoreError, match=r"model\.input\.transform was .*is now None"):
        runs.go(job, "model.input.transform=null")


@pytest.mark.slow
def test_a_store_of_before_had_none(job: Path, tmp_path: Path) -> None:
    runs.go(job, "model.input.transform=null")
    forget(tmp_path / "job.zarr" / "zarr.json", "model.input.transform")
    assert runs.go(job, "model.input.transform=null").done == 0
    with pytest.raises(StoreError, match=r"model\.input\.transform was None and is now"):
        runs.go(job)


def test_a_frozen_plan_holds_the_code(job: Path, tmp_path: Path) -> None:
    plan = freeze(prepare_job(load_config(job)), job, tmp_path / "run.lock.yaml")
    assert prepare_job(load_config(plan)).task.recipe.normalisation.transform is not None
    (tmp_path / "raw.py").write_text(LOG.replace("log", "log1p"))
    with pytest.raises(ConfigError, match=r"model\.input\.transform is locked at"):
        prepare_job(load_config(plan))


def test_valid_pixels_that_become_no_numbers_are_refused_before_the_first_block(job: Path) -> None:
    with pytest.raises(
        ModelError,
        match=r"gives NaN or infinity for 1,728 of 4,096 valid pixels.*the values \[0\.0, 0\.0, 0\.0\]\. Clip",
    ):
        prepare_job(load_config(job, ["source.nodata=null"]))


def test_a_pixel_that_becomes_no_number_later_fails_its_block_by_the_name_of_the_code(
    job: Path, tmp_path: Path
) -> None:
    raw = scenes.read(tmp_path / "scene.tif").astype("uint16")
    raw[:, 2, 3] = 65000  # beyond the windows that are looked at before
    scenes.write(tmp_path / "scene.tif", raw, nodata=0)
    (tmp_path / "raw.py").write_text(LOG.replace("torch.log(x)", "torch.log(x) / (x != 65000)"))
    with pytest.raises(
        BlocksFailed, match=r"^1 of 6 blocks.*block 0,0 .*raw\.py:stretch gives NaN or infinity for valid pixels"
    ):
        runs.go(job)


@pytest.mark.slow
def test_a_ratio_of_bands_is_one_channel(job: Path, tmp_path: Path) -> None:
    (tmp_path / "raw.py").write_text("def stretch(x):\n    return ((x[1] - x[0]) / (x[1] + x[0] + 1))[None]\n")
    made = prepare_job(load_config(job, ["model.input.mean=0", "model.input.std=[1]"]))
    assert (made.source.bands, made.locality.bands, made.plan.costs.bands, made.plan.costs.raw) == (3, 1, 1, 11)
    runs.go(job, "model.input.mean=0", "model.input.std=[1]")
    raw = scenes.read(tmp_path / "scene.tif")
    assert (mask(tmp_path) == np.where((raw == 0).all(0), 255, raw[1] > raw[0])).all()
    with pytest.raises(
        ConfigError, match=r"std has 3 values, but model\.input\.transform makes 1 channels of the 3 bands"
    ):
        prepare_job(load_config(job, ["model.input.std=[1, 1, 1]"]))


def test_a_network_for_other_channels_is_refused_by_both_numbers(job: Path, tmp_path: Path) -> None:
    (tmp_path / "raw.py").write_text("def stretch(x):\n    return x[:2] / x[1:]\n")
    path = scenes.unet(tmp_path)
    with pytest.raises(ModelError, match=r"makes 2 channels of 3 bands, but the network takes 3\. Let it return 3"):
        prepare_job(load_config(job, [f"model.path={path}"]))


def test_code_that_has_no_number_for_pixels_which_the_raster_has_not_is_planned(job: Path, tmp_path: Path) -> None:
    (tmp_path / "raw.py").write_text("def stretch(x):\n    return 1 / (x - 1)\n")
    scenes.write(tmp_path / "scene.tif", scenes.read(tmp_path / "scene.tif") * 2, nodata=0)
    assert prepare_job(load_config(job)).plan.costs.activations > 0


@pytest.mark.slow
def test_memory_counts_what_the_code_holds(job: Path, tmp_path: Path) -> None:
    plain = prepare_job(load_config(job)).plan.costs.activations
    (tmp_path / "raw.py").write_text(
        "import torch\n\n\ndef stretch(x):\n    return torch.stack([x] * 40).log().mean(0)\n"
    )
    assert prepare_job(load_config(job)).plan.costs.activations > plain + 3 * 4 * 60


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_process_that_is_given_the_job_makes_the_same_bytes(job: Path, tmp_path: Path) -> None:
    runs.go(job)
    serial = runs.arrays(tmp_path / "job.zarr")
    runs.go(job, "execution.engine=processes", "execution.workers=1", fresh=True)
    assert runs.arrays(tmp_path / "job.zarr") == serial
