"""A source with the same bytes at another path, or of another time, is gone on with; one of other pixels is not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipeline.config.load import load_config
from pipeline.errors import ConfigError, StoreError
from pipeline.planning.describe import describe
from pipeline.planning.freeze import freeze
from pipeline.planning.plan_rows import GOES_ON, plan_rows
from pipeline.planning.prepare import prepare_job
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import execute
from pipeline.running.report import Report
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import read_store_meta
from tests import networks, runs, scenes


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Six blocks, each a chunk; half of them done by a shard."""
    scenes.scene(tmp_path / "scene.tif", 100, 150)
    network = scenes.script(networks.lively(networks.Twice(classes=4)), tmp_path / "net.pt")
    return scenes.config(tmp_path, model={"path": str(network)}, output={"block": 64})


def trusting(path: Path, *overrides: str) -> Report:
    job = prepare_job(load_config(path, list(overrides)), same_source=True)
    with Progress() as progress:
        return execute(job, progress)


def changed(path: Path, row: int) -> None:
    """Other pixels in one row, under the same size."""
    with rasterio.open(path, "r+") as file:
        data = file.read()
        data[:, row] = np.roll(data[:, row], 7, axis=-1)
        file.write(data)


@pytest.mark.slow
def test_the_same_bytes_at_another_path_and_time_are_gone_on_with(config: Path, tmp_path: Path) -> None:
    runs.go(config, shard=runs.shards(2)[0])
    (tmp_path / "other").mkdir()
    copy = shutil.copyfile(tmp_path / "scene.tif", tmp_path / "other" / "s.tif")
    os.utime(tmp_path / "scene.tif")
    half = runs.go(config, shard=runs.shards(2)[0])
    assert (half.resumed, half.done) == (3, 0)
    report = runs.go(config, f"source.path={copy}")
    assert (report.resumed, report.done) == (3, 3)
    assert read_store_meta(tmp_path / "job.zarr")["fingerprint"]["source.path"] == str(copy)


@pytest.mark.slow
@pytest.mark.parametrize("age", [-86400, 3600], ids=["older", "newer"])
def test_another_time_alone_is_gone_on_with(config: Path, tmp_path: Path, age: float) -> None:
    runs.go(config, shard=runs.shards(2)[0])
    then = (tmp_path / "scene.tif").stat()
    os.utime(tmp_path / "scene.tif", (then.st_atime, then.st_mtime + age))
    report = runs.go(config)
    assert (report.resumed, report.done) == (3, 3)


@pytest.mark.slow
def test_another_path_alone_is_gone_on_with_and_so_is_a_link(config: Path, tmp_path: Path) -> None:
    runs.go(config, shard=runs.shards(2)[0])
    (tmp_path / "scene.tif").rename(tmp_path / "moved.tif")
    assert runs.go(config, f"source.path={tmp_path}/moved.tif").resumed == 3
    (tmp_path / "link.tif").symlink_to(tmp_path / "moved.tif")
    assert runs.go(config, f"source.path={tmp_path}/link.tif").resumed == 6


@pytest.mark.slow
def test_the_pixels_come_from_where_the_source_lies_now(config: Path, tmp_path: Path) -> None:
    whole = runs.arrays(Path(runs.go(config).store))
    shutil.rmtree(tmp_path / "job.zarr")
    runs.go(config, shard=runs.shards(2)[0])
    moved = shutil.move(tmp_path / "scene.tif", tmp_path / "moved.tif")
    runs.go(config, f"source.path={moved}")
    assert runs.arrays(tmp_path / "job.zarr") == whole


@pytest.mark.slow
def test_plan_says_where_the_source_was_and_that_the_run_goes_on(config: Path, tmp_path: Path) -> None:
    assert describe(prepare_job(load_config(config)))["raster"]["moved"] is None
    runs.go(config, shard=runs.shards(2)[0])
    assert describe(prepare_job(load_config(config)))["raster"]["moved"] is None
    before = runs.everything(tmp_path / "job.zarr")
    os.utime(tmp_path / "scene.tif")
    assert (
        describe(prepare_job(load_config(config)))["raster"]["moved"] == f"{tmp_path}/scene.tif was written anew since"
    )
    moved = shutil.move(tmp_path / "scene.tif", tmp_path / "moved.tif")
    told = [words for _, words in plan_rows(prepare_job(load_config(config, [f"source.path={moved}"])))]
    assert f"source.path was {tmp_path}/scene.tif and is now {moved}: {GOES_ON}" in told
    assert runs.everything(tmp_path / "job.zarr") == before, "a plan writes nothing"


@pytest.mark.slow
def test_once_it_was_compared_it_is_not_compared_again(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.go(config)
    os.utime(tmp_path / "scene.tif")
    said: list[str] = []
    monkeypatch.setattr(Progress, "say", lambda self, line, *args, **kwargs: said.append(line))
    runs.go(config)
    assert any("6 committed blocks have the same pixels" in line for line in said)
    said.clear()
    assert runs.go(config).resumed == 6
    assert not any("compared" in line for line in said)


@pytest.mark.slow
def test_other_pixels_in_a_committed_block_are_refused_with_the_block(config: Path, tmp_path: Path) -> None:
    runs.go(config)
    before = runs.arrays(tmp_path / "job.zarr")
    changed(tmp_path / "scene.tif", 90)
    size = (tmp_path / "scene.tif").stat().st_size
    root = tmp_path / "job.zarr" / "zarr.json"
    said = json.loads(root.read_text())
    said["attributes"]["wholecloth"]["fingerprint"]["source.size"] = size  # as of a file that is not compressed
    root.write_text(json.dumps(said))
    with pytest.raises(StoreError, match=r"3 of 6 committed blocks differ, the first at row 1 and column 0 .*--fresh"):
        runs.go(config)
    assert runs.arrays(tmp_path / "job.zarr") == before
    assert trusting(config).resumed == 6


@pytest.mark.slow
def test_another_grid_is_refused_at_once_and_so_is_another_size(config: Path, tmp_path: Path) -> None:
    runs.go(config)
    with rasterio.open(tmp_path / "scene.tif", "r+") as file:
        file.crs = "EPSG:32634"
    for go in (runs.go, trusting):
        with pytest.raises(StoreError, match=r"source\.(grid|size)"):
            go(config)


@pytest.mark.slow
def test_a_store_of_a_moved_source_is_planned_and_verified(config: Path, tmp_path: Path) -> None:
    runs.go(config)
    moved = shutil.move(tmp_path / "scene.tif", tmp_path / "moved.tif")
    assert prepare_job(load_config(config, [f"source.path={moved}"])).moved["source.path"] == str(moved)
    certificate: dict[str, Any] = verify(
        job_of(tmp_path / "job.zarr", [f"source.path={moved}"]), lambda line: None, windows=2
    )
    assert certificate["passed"]


@pytest.mark.slow
def test_a_frozen_plan_takes_a_moved_source_where_it_is_said_to_be_the_same_or_a_store_shows_it(
    config: Path, tmp_path: Path
) -> None:
    plan = freeze(prepare_job(load_config(config)), config, tmp_path / "run.lock.yaml")
    os.utime(tmp_path / "scene.tif")
    with pytest.raises(ConfigError, match=r"source\.files is locked"):
        runs.go(plan)
    trusting(plan)
    assert runs.go(plan).resumed == 6
    os.utime(tmp_path / "scene.tif")
    assert runs.go(plan).resumed == 6
