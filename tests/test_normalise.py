"""Jobs whose pixels are normalised by numbers of the raster itself, found in a pass before there is a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import zarr
from typer.testing import CliRunner

import pipeline
from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, ReadError, SourceError, StoreError
from pipeline.geometry.shards import Shard
from pipeline.locations import Remote
from pipeline.planning.document import plan_document
from pipeline.planning.freeze import freeze
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.preview.preview import PreviewRequest, make_preview
from pipeline.quality.verify.verify import job_of, verify
from pipeline.reports.rows import decision_rows
from pipeline.running import estimate, execute
from pipeline.running.estimate import estimate_numbers
from pipeline.runtime.progress import Progress
from pipeline.sources.raster import RasterSource
from pipeline.statistics import cells
from pipeline.statistics.cell_task import CellPixels
from pipeline.statistics.cells import CellLattice
from pipeline.statistics.records import CellRecords
from pipeline.store.files import files_at
from pipeline.store.lifecycle import read_store_meta
from tests import runs, scenes
from tests.sources.aoi.test_jobs import drawn
from tests.statistics.rasters import write_raster
from tests.storage import BUCKET, Storage

PERCENTILE = {"method": "percentile", "low": 1, "high": 99.5}
KEY = "model.input.normalise"
LINES = "\n"


@pytest.fixture(autouse=True)
def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten cells or more in a small raster, each of several strips."""
    for name, value in {"CELL_PX": 2**14, "CELL_SIDE": 128, "READ_PX": 2**12}.items():
        monkeypatch.setattr(cells, name, value)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Windows that are read of any raster."""
    windows: list[Any] = []
    real = RasterSource.read
    monkeypatch.setattr(RasterSource, "read", lambda self, window: windows.append(window) or real(self, window))
    return windows


def config(folder: Path, name: str = "job", normalise: dict[str, Any] = PERCENTILE, **sections: Any) -> Path:
    """The job of `scenes.config`, without its mean and std."""
    path = scenes.config(folder, name, **sections)
    text = path.read_text().split(LINES)
    start = text.index("  input:")
    path.write_text(LINES.join([*text[:start], f"  input: {json.dumps({'normalise': normalise})}", *text[start + 3 :]]))
    return path


def prepared(path: Path, *overrides: str) -> Job:
    return prepare_job(load_config(path, list(overrides)))


def found(path: Path, *overrides: str, shard: Shard | None = None) -> dict[str, Any]:
    """The numbers of a job, by a pass."""
    with Progress(quiet=True) as progress:
        job = estimate_numbers(prepared(path, *overrides), progress, shard)
    assert job.stretch is not None
    assert job.fingerprint[KEY] == job.stretch.record
    return job.stretch.record


def whole(folder: Path, low: list[float], high: list[float], clip: bool = False) -> np.ndarray:
    """One forward pass over the whole scene, normalised by numpy."""
    raw = scenes.read(folder / "scene.tif")
    valid = (raw != 0).any(0)
    low_, high_ = (np.array(ends, "float32")[:, None, None] for ends in (low, high))
    x = (raw - low_) / np.array(high_.astype(float) - low_.astype(float), "float32")
    x = torch.from_numpy((np.clip(x, 0, 1) if clip else x) * valid)[None]
    height, width = valid.shape
    with torch.no_grad():
        padded = torch.nn.functional.pad(x, (0, -width % 4, 0, -height % 4))
        logits = torch.jit.load(str(folder / "unet.pt"))(padded)[0, :, :height, :width]
    return np.where(valid, logits.argmax(0).numpy(), 255).astype("uint8")


def mask(store: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(store / "0" / "mask", mode="r")[:])


@pytest.mark.slow
def test_a_mask_is_that_of_the_whole_normalised_by_numpy_whatever_tiles_and_engine(tmp_path: Path) -> None:
    path = config(tmp_path, normalise={**PERCENTILE, "clip": True})
    runs.go(path)
    values = scenes.read(tmp_path / "scene.tif")
    low, high = np.percentile(values[:, (values != 0).any(0)].astype(float), (1, 99.5), axis=1).tolist()
    right = whole(tmp_path, low, high, clip=True)
    assert (mask(tmp_path / "job.zarr") == right).all()
    assert len(np.unique(right)) > 2
    threads = ("execution.engine=threads", "execution.workers=3", "tile.size=96", f"output.path={tmp_path}/two.zarr")
    runs.go(path, *threads)
    assert (mask(tmp_path / "two.zarr") == right).all()
    numbers = [pipeline.open(tmp_path / f"{name}.zarr").normalised_by for name in ("job", "two")]
    assert numbers[0] == numbers[1] == prepared(path).fingerprint[KEY]
    assert not (tmp_path / "job.statistics").exists()
    report = json.loads((tmp_path / "job.report.json").read_text())
    assert report["plan"]["raster"]["normalise"]["low"] == low
    text = dict(decision_rows(read_store_meta(tmp_path / "job.zarr"), report))["input"]
    assert text.endswith("clipped to 0…1; exact, from all 123,200 valid px of the raster")


@pytest.mark.slow
def test_a_pass_that_is_killed_goes_on_with_the_cells_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[Any]
) -> None:
    write_raster(tmp_path, "float32", tiled=True, blockxsize=64, blockysize=64)
    path = config(tmp_path, normalise={"method": "standardise"})
    right = found(path, f"output.path={tmp_path}/calm.zarr")
    commit, committed = CellRecords.commit, list[int]()

    def killed(self: CellRecords, index: int, counts: Any) -> None:
        if len(committed) == 4:
            raise KeyboardInterrupt
        commit(self, index, counts)
        committed.append(index)

    monkeypatch.setattr(CellRecords, "commit", killed)
    job = prepared(path)
    with Progress(quiet=True) as progress, pytest.raises(KeyboardInterrupt):
        estimate_numbers(job, progress)
    assert len(list((tmp_path / "job.statistics").rglob("*.npz"))) == 4
    monkeypatch.setattr(CellRecords, "commit", commit)
    reads.clear()
    with Progress(quiet=True) as progress:
        assert estimate_numbers(job, progress).fingerprint[KEY] == right
    lattice = CellLattice.of_raster(203, 331, (64, 64), 12)
    left = [index for index in range(lattice.count) if index not in committed]
    assert len(left) == 2
    assert sum(window.pixels for window in reads) == sum(lattice.window(index).pixels for index in left)
    next((tmp_path / "job.statistics").rglob("*.npz")).write_bytes(b"cut off")
    assert found(path) == right


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_shards_share_a_pass_and_take_the_numbers_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[Any]
) -> None:
    path = config(tmp_path)
    runs.go(path, f"output.path={tmp_path}/alone.zarr")
    first, second = runs.shards(2)
    late = prepared(path)
    orders = []
    real = estimate._in_order
    monkeypatch.setattr(estimate, "_in_order", lambda cells, shard: orders.append(real(cells, shard)) or orders[-1])
    record = found(path, shard=second)
    assert orders.pop()[0] == 6  # of 12 cells
    reads.clear()
    with Progress(quiet=True) as progress:
        execute.execute(late, progress, shard=first)  # begins with its share, and finds all of it counted
        assert orders.pop()[0] == 0
        assert late.stretch is not None
        assert late.stretch.provisional
        execute.execute(late, progress, shard=second)  # was planned before there was a store, and finds one
    assert {window.height for window in reads}.isdisjoint({32})
    runs.go(path)
    assert json.loads((tmp_path / "job.zarr" / "zarr.json").read_text())["attributes"]["wholecloth"]["fingerprint"][
        KEY
    ] == {**record}
    assert runs.arrays(tmp_path / "job.zarr") == runs.arrays(tmp_path / "alone.zarr")


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_store_keeps_its_numbers_and_refuses_others(tmp_path: Path, reads: list[Any]) -> None:
    path = config(tmp_path)
    runs.go(path)
    reads.clear()
    assert runs.go(path).done == 0
    assert not reads
    assert verify(job_of(tmp_path / "job.zarr", []), print, windows=2)["passed"] is True
    with pytest.raises(
        StoreError, match=r"normalise was \{'percentages': \[1\.0, 99\.5\].* is now \{'percentages': \[1\.0, 98"
    ):
        runs.go(path, f"{KEY}.high=98")
    with pytest.raises(StoreError, match=r"model\.input\.normalise was .* and is now None"):
        runs.go(path, f"{KEY}=null")
    data = scenes.read(tmp_path / "scene.tif").astype("uint16")
    scenes.write(tmp_path / "scene.tif", data + 1, nodata=0)
    with pytest.raises(StoreError, match="was made by another job: source"):
        runs.go(path)


@pytest.mark.slow
def test_a_plan_prices_the_pass_and_makes_it_only_when_told(tmp_path: Path, reads: list[Any]) -> None:
    path = config(tmp_path)
    document = plan_document(prepared(path))
    assert {name: document["estimate"][name] for name in ("cells", "passes", "bytes")} == {
        "cells": 12,
        "passes": 1,
        "bytes": 300 * 420 * 3 * 2,
    }
    assert document["raster"]["normalise"]["provisional"] is True
    assert not (tmp_path / "job.statistics").exists()
    with pytest.raises(ConfigError, match=r"takes a pass over the raster\. Add --estimate"):
        freeze(prepared(path), path, tmp_path / "run.lock.yaml")
    lock = tmp_path / "run.lock.yaml"
    result = CliRunner().invoke(app, ["plan", str(path), "--estimate", "--freeze", str(lock)])
    assert result.exit_code == 0, result.output
    assert "percentiles 1 and 99.5 of each band" in result.stdout
    assert "exact, from all 123,200 valid px" in result.stdout
    assert prepared(lock).fingerprint[KEY] == found(path)
    assert not prepared(lock).provisional


@pytest.mark.slow
@pytest.mark.nightly("jobs")
@pytest.mark.parametrize(("over", "key"), [("aoi", "aoi"), ("tissue", "only")])
def test_numbers_of_an_area_are_of_its_pixels_alone(tmp_path: Path, reads: list[Any], over: str, key: str) -> None:
    inside = drawn(tmp_path)
    path = config(tmp_path, normalise={**PERCENTILE, "over": over}, source={key: str(tmp_path / "area.gpkg")})
    job = prepared(path)
    reads.clear()
    with Progress(quiet=True) as progress:
        record = estimate_numbers(job, progress).fingerprint[KEY]
    values = scenes.read(tmp_path / "scene.tif")
    counted = values[:, inside & (values != 0).any(0)].astype(float)
    assert [record["low"], record["high"]] == np.percentile(counted, (1, 99.5), axis=1).tolist()
    assert record["pixels"] == counted.shape[1]
    assert sum(window.pixels for window in reads) < 0.6 * 300 * 420
    with pytest.raises(ConfigError, match=rf"over is {over}, and there is no source\.{key}"):
        prepared(path, f"source.{key}=null")


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_numbers_of_an_overview_are_had_at_once_and_say_so(tmp_path: Path) -> None:
    path = config(tmp_path, normalise={**PERCENTILE, "resolution": "overview"})
    with pytest.raises(ConfigError, match="has no overview of at most 16 MiB"):
        prepared(path)
    with rasterio.open(tmp_path / "scene.tif", "r+") as dataset:
        dataset.build_overviews([2, 4])
        small, known = dataset.read(out_shape=(3, 150, 210)), dataset.dataset_mask(out_shape=(150, 210)) != 0
    job = prepared(path)
    assert not job.provisional
    record = job.fingerprint[KEY]
    assert [record["low"], record["high"]] == np.percentile(small[:, known].astype(float), (1, 99.5), axis=1).tolist()
    assert (record["resolution"], record["step"]) == ("overview", 2)
    text = plan_document(job)["raster"]["normalise"]["text"]
    assert text.endswith("of the overview 1:2, which is not exact")


@pytest.mark.nightly("jobs")
def test_a_transform_comes_first_and_its_channels_are_counted(tmp_path: Path) -> None:
    (tmp_path / "raw.py").write_text("import torch\n\n\ndef log(x):\n    return torch.log1p(x)\n")
    path = config(tmp_path, model={})
    record = found(path, f"model.input.transform={tmp_path}/raw.py:log")
    values = scenes.read(tmp_path / "scene.tif")
    logs = torch.log1p(torch.from_numpy(values[:, (values != 0).any(0)])).numpy().astype(float)
    np.testing.assert_allclose([record["low"], record["high"]], np.percentile(logs, (1, 99.5), axis=1), rtol=1e-6)


def test_what_cannot_be_normalised_is_refused_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(self: CellPixels, index: int, counting: Any) -> None:
        raise ReadError("the file is cut off")

    data = np.full((3, 90, 130), 7, "uint16")
    data[1] = np.arange(90 * 130).reshape(90, 130) % 251
    scenes.write(tmp_path / "scene.tif", data, nodata=0)
    path = config(tmp_path)
    with pytest.raises(SourceError, match=r"low and high percentile are equal in band 1 7, band 3 7\. Leave the band"):
        found(path)
    with pytest.raises(SourceError, match=r"the standard deviation is 0, around in band 1 7"):
        found(path, f"{KEY}={{method: standardise}}")
    with monkeypatch.context() as broken:
        broken.setattr(CellPixels, "count", unreadable)
        with pytest.raises(SourceError, match=r"needs every pixel of the raster.*cut off\. Mend the raster"):
            found(path, f"output.path={tmp_path}/broken.zarr")
    scenes.write(tmp_path / "scene.tif", np.zeros((3, 90, 130), "uint16"), nodata=0)
    with pytest.raises(
        SourceError, match=r"finds no valid pixel in .*scene\.tif.*Check source\.nodata, or give method"
    ):
        found(path, f"{KEY}.method=minmax", f"{KEY}.low=null", f"{KEY}.high=null")


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_fixed_numbers_need_no_pass_and_mean_and_std_follow(tmp_path: Path) -> None:
    path = config(tmp_path, normalise={"method": "fixed", "low": 100, "high": [900, 800, 1000]})
    job = prepared(path, "model.input.mean=[0.4, 0.5, 0.6]", "model.input.std=0.2")
    assert not job.provisional
    runs.go(path)
    assert (mask(tmp_path / "job.zarr") == whole(tmp_path, [100.0] * 3, [900.0, 800.0, 1000.0])).all()
    with pytest.raises(ConfigError, match=r"normalise\.high has 2 values, but the network gets 3 bands"):
        prepared(path, f"{KEY}.high=[900, 800]")


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_preview_says_that_its_numbers_are_provisional_until_a_store_has_some(tmp_path: Path) -> None:
    path = config(tmp_path)

    def described() -> str:
        done = make_preview(load_config(path), PreviewRequest(folder=tmp_path / "preview", side=64))
        return dict(done.description.facts)["input"]

    assert "PROVISIONAL, from 123,200 valid px in a few windows" in described()
    runs.go(path)
    assert "exact, from all 123,200 valid px of the raster" in described()


@pytest.mark.slow
@pytest.mark.nightly("storage")
def test_a_pass_on_object_storage_is_shared_and_goes_with_the_job(s3: Storage, tmp_path: Path) -> None:
    url = f"s3://{BUCKET}/{tmp_path.name}/job.zarr"
    path = config(tmp_path, output={"path": url})
    record = found(path, shard=Shard(index=2, count=2))
    folder = Remote(url).with_suffix(".statistics")
    assert len(list(files_at(folder).list())) == 12
    runs.go(path)
    assert not list(files_at(folder).list())
    assert prepared(path).fingerprint[KEY] == record
    assert found(path, f"output.path={tmp_path}/disk.zarr") == record
