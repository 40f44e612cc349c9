"""A halo by tolerance: chosen on the raster's own pixels, confirmed on tiles, and kept by the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, StoreError
from pipeline.inference.opened_networks import inference
from pipeline.inference.read import read_with_retries
from pipeline.inference.recipe import Block
from pipeline.inspect.halo import tolerance as chosen
from pipeline.inspect.halo.on_raster import NetworkOnRaster, profile
from pipeline.inspect.halo.tolerance import halo_for_tolerance, residual_error
from pipeline.planning.describe import describe
from pipeline.planning.halo_saving import tolerance_saving
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import read_store_meta
from tests import networks, scenes


class Fading(nn.Module):
    """Looks 4, 8, … 32 px far, ten times less at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = nn.ModuleList(networks.conv(3, 4, dilation=4 * k) for k in range(1, 9))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.zeros_like(x[:, :1])
        for k, ring in enumerate(self.rings):
            y = y + ring(x) * 0.1 ** float(k)
        return y


def job(
    folder: Path, net: nn.Module | None = None, name: str = "job", path: str | Path = "network.pt", **tile: Any
) -> Job:
    path = folder / path
    if not path.exists():
        scenes.script(net or Fading(), path)
    return prepare_job(load_config(scenes.config(folder, name, model={"path": str(path)}, tile={"size": 128, **tile})))


def sight(of: Job) -> NetworkOnRaster:
    how = of.task.recipe.normalisation
    return NetworkOnRaster(
        source=of.source,
        network=of.network,
        locality=of.locality,
        normalisation=how,
        device=torch.device("cpu"),
        multiple=1,
        room=256,
    )


def logits(of: Job) -> np.ndarray:
    whole = np.full((4, of.source.grid.height, of.source.grid.width), np.nan, np.float32)
    for index in of.task.layout.blocks():
        window, frame = of.task.layout.window(index), of.task.layout.read_window(index)
        part = inference(replace(of.task, store=of.path)).logits(
            Block(index, window, frame, read_with_retries(of.source, frame, 0)), of.task.layout, window
        )
        if part is not None:
            whole[(slice(None), *window.slices)] = part
    return whole


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("tolerance", [1e-1, 1e-2, 1e-4])
def test_the_run_keeps_to_the_tolerance_with_less_than_the_radius(tmp_path: Path, tolerance: float) -> None:
    exact, near = job(tmp_path), job(tmp_path, name="near", halo={"tolerance": tolerance})
    assert exact.plan.tiles.halo == 32
    assert near.plan.tiles.halo is not None
    assert 0 < near.plan.tiles.halo < 32
    whole, tiled = logits(exact), logits(near)
    error = np.nanmax(np.abs(whole - tiled)) / np.nanstd(whole)
    assert tolerance / 1000 < error <= tolerance


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_tighter_tolerance_takes_a_wider_halo(tmp_path: Path) -> None:
    halos = [job(tmp_path, name=f"t{k}", halo={"tolerance": 0.1**k}).plan.tiles.halo for k in (1, 2, 3, 4)]
    assert halos == sorted(set(halos))


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_the_choice_is_that_of_the_seed_and_stays_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (job(tmp_path, halo={"tolerance": 1e-3, "places": 3, "seed": 5}) for _ in range(2))
    assert one.plan.tiles == two.plan.tiles
    with Progress() as progress:
        report = execute(one, progress)
    found = one.plan.tiles.tolerated
    assert found is not None
    assert (found.places, found.seed, found.tolerance) == (3, 5, 1e-3)
    assert read_store_meta(one.path)["halo"]["tolerated"]["error"] == found.error <= 1e-3
    assert report.plan["halo"] == describe(one)["halo"]
    assert "tolerance 0.001" in report.plan["halo"]["why"]
    monkeypatch.setattr(chosen, "profile", None)  # a resume that measured again would fail
    assert job(tmp_path, halo={"tolerance": 1e-3}).plan.tiles == one.plan.tiles
    with pytest.raises(StoreError, match=r"tile\.tolerance was 0\.001 and is now 0\.01"):
        job(tmp_path, halo={"tolerance": 1e-2})


@pytest.mark.slow
def test_tiles_cut_off_on_all_sides_are_compared_with_the_whole_where_most_is_valid(tmp_path: Path) -> None:
    looks = sight(job(tmp_path))
    x, valid = torch.randn(1, 3, 96, 96), np.zeros((96, 96), bool)
    valid[20:22, 60:62] = True
    with torch.no_grad():
        tile = looks.network(x[:, :, 12:30, 52:70])[0, :, 8:10, 8:10]
        apart = (tile - looks.network(x)[0, :, 20:22, 60:62]).abs().max()
    assert residual_error(looks, [(x, valid)], 8) == pytest.approx(float(apart))
    assert residual_error(looks, [(x, valid)], 32) < 1e-5 < residual_error(looks, [(x, valid)], 4)


@pytest.mark.slow
def test_a_profile_that_was_too_kind_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = sight(job(tmp_path))
    honest = halo_for_tolerance(looks, 1e-3, 3, 0)

    def kind(*args: Any) -> Any:
        found, seen = profile(*args)
        return replace(found, largest=found.largest * 0), seen

    monkeypatch.setattr(chosen, "profile", kind)
    assert halo_for_tolerance(looks, 1e-3, 3, 0).halo >= honest.halo - 4 > 0


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_without_a_valid_pixel_the_halo_is_exact(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", np.zeros((3, 200, 300), "uint16"), nodata=0)
    made = job(tmp_path, halo={"tolerance": 1e-3})
    assert (made.plan.tiles.halo, made.plan.tiles.exact) == (32, True)
    assert "no valid pixel was found" in made.plan.tiles.why
    with Progress() as progress:
        execute(made, progress)
    assert job(tmp_path, halo={"tolerance": 1e-3}).resumes
    with pytest.raises(ConfigError, match="no valid pixel was found to measure it on"):
        job(tmp_path, networks.InstanceNormed(), name="other", halo={"tolerance": 1e-3}, path="norm.pt")


@pytest.mark.slow
def test_a_patch_of_valid_pixels_in_a_large_raster_is_found_and_measured(tmp_path: Path) -> None:
    data = np.zeros((3, 2400, 2400), "uint16")
    data[:, 1500:1700, 300:480] = np.random.default_rng(0).integers(1, 1000, (3, 200, 180))
    scenes.write(tmp_path / "scene.tif", data, nodata=0, tiled=True, compress="deflate")
    found = job(tmp_path, halo={"tolerance": 1e-3}).plan.tiles.tolerated
    assert found is not None
    assert found.halo > 8
    assert found.valid > 0


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_tolerance_that_no_halo_keeps_is_refused_with_what_is_left(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"tile\.halo\.tolerance is 1e-06 .*px.*not local.*InstanceNorm.*tile\.halo: auto, which blends",
    ):
        job(tmp_path, networks.InstanceNormed(), halo={"tolerance": 1e-6})


def test_a_network_of_one_size_cannot_be_measured_by_cutting(tmp_path: Path) -> None:
    path = networks.export(networks.Twice(), tmp_path / "fixed.pt2", (1, 3, 128, 128))
    with pytest.raises(ConfigError, match=r"windows of 128 px are all that .* allow"):
        prepare_job(
            load_config(
                scenes.config(
                    tmp_path, model={"kind": "exported", "path": str(path)}, tile={"halo": {"tolerance": 1e-3}}
                )
            )
        )


def test_overlap_asks_for_blending_and_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "profile", None)
    assert job(tmp_path, halo={"tolerance": 1e-3}, overlap=0.5).plan.tiles.halo is None


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_the_plan_says_what_a_tolerance_would_save(tmp_path: Path) -> None:
    said = tolerance_saving(job(tmp_path))
    assert said is not None
    assert said.halo == job(tmp_path, name="near", halo={"tolerance": 1e-3, "places": 3}).plan.tiles.halo
    assert 1 < said.arithmetic < said.instead
    assert f"about {said.halo} px" in str(said)
    assert tolerance_saving(job(tmp_path, name="near", halo={"tolerance": 1e-3})) is None
    assert tolerance_saving(job(tmp_path, name="blended", overlap=0.5)) is None
