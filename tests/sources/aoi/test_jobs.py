"""Jobs with an area of interest, from config to store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import zarr
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config import SourceConfig
from pipeline.config.load import load_config
from pipeline.errors import SourceError, StoreError
from pipeline.inference import block_task
from pipeline.planning.describe import describe, room
from pipeline.planning.plan_rows import plan_rows
from pipeline.quality.evaluate.aoi_labels import labels_in_aoi
from pipeline.quality.evaluate.evaluate import evaluate
from pipeline.quality.labels import open_labels
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import prepare_job
from pipeline.sources import open_source
from pipeline.sources.aoi import open_area
from pipeline.sources.raster import RasterSource
from pipeline.store.ledger import Ledger
from pipeline.store.reader import open_store
from pipeline.store.status import overviews, status
from tests import scenes
from tests.quality.labels.places import DEGREES, UTM, whole
from tests.running.test_execute import digest, go, mask
from tests.sources.aoi.shapes import placed, write

SHAPE = shapely.Polygon([(10.2, 12.3), (240.4, 30.8), (70.9, 250.2)]).difference(shapely.Point(80.3, 80.1).buffer(20))
TOUCHED = {(0, 0), (0, 1), (1, 0), (1, 1)}
"""Of the 3 × 4 blocks of 128 px."""


def drawn(folder: Path, shape: Any = SHAPE, name: str = "area.gpkg") -> np.ndarray:
    """Writes an area in degrees; (rows, cols) whether a pixel of the scene lies in it."""
    scenes.config(folder)
    of = open_source(SourceConfig(path=str(folder / "scene.tif"))).grid
    area = open_area(str(write(folder / name, placed(shape, of, DEGREES), DEGREES)), of)
    assert area is not None
    return area.read(whole(of))


def config(folder: Path, name: str = "job", aoi: Any = "area.gpkg", **more: Any) -> Path:
    return scenes.config(folder, name, source={"path": str(folder / "scene.tif"), "aoi": aoi}, **more)


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("engine", ["serial", "threads"])
def test_an_area_limits_what_is_read_written_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    asked, reads, real = drawn(tmp_path), [], RasterSource.read
    monkeypatch.setattr(RasterSource, "read", lambda self, window: reads.append(window) or real(self, window))
    report = go(config(tmp_path, execution={"engine": engine}, output={"layers": ["mask", "confidence"]}))
    assert (report.complete, report.blocks, report.done, report.pixels) == (True, 4, 4, asked.sum())
    assert (mask(tmp_path) == np.where(asked, scenes.whole(tmp_path), 255)).all()
    assert Ledger(tmp_path / "job.zarr").committed() == TOUCHED
    assert max(read.cols.stop for read in reads) <= 256  # the area and the halo around it end at 253
    assert report.read_amplification == pytest.approx(report.plan["read_amplification"], abs=1e-4)
    assert {
        path.parent.name + "/" + path.name for path in (tmp_path / "job.zarr/0/mask/c").rglob("*") if path.is_file()
    } <= {f"{row}/{col}" for row in range(4) for col in range(4)}
    assert status(tmp_path / "job.zarr").blocks == status(tmp_path / "job.zarr").committed == 4
    assert (tmp_path / "job.png").exists()


@pytest.mark.slow
def test_a_run_that_dies_goes_on_and_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn(tmp_path)
    go(config(tmp_path, "reference"))
    real, calls = block_task.write_block, []

    def dies(*args: Any) -> None:
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(args)
        real(*args)

    monkeypatch.setattr(block_task, "write_block", dies)
    with pytest.raises(KeyboardInterrupt):
        go(config(tmp_path))
    monkeypatch.setattr(block_task, "write_block", real)
    found = status(tmp_path / "job.zarr")
    assert (found.committed, found.blocks, found.complete) == (2, 4, False)
    report = go(config(tmp_path))
    assert (report.resumed, report.done, report.complete) == (2, 2, True)
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")
    assert status(tmp_path / "job.zarr").complete


@pytest.mark.slow
def test_an_area_that_is_added_removed_or_changed_is_another_job_and_a_file_that_is_moved_is_not(
    tmp_path: Path,
) -> None:
    drawn(tmp_path)
    drawn(tmp_path, SHAPE.buffer(3), "wider.gpkg")
    go(scenes.config(tmp_path, "without"))
    with pytest.raises(StoreError, match=r"source\.aoi was None and is now"):
        go(config(tmp_path, "without"))
    go(config(tmp_path))
    with pytest.raises(StoreError, match=r"source\.aoi was \w{32} and is now None"):
        go(scenes.config(tmp_path))
    with pytest.raises(StoreError, match=r"source\.aoi was \w{32} and is now \w{32}"):
        go(config(tmp_path, aoi="wider.gpkg"))
    (tmp_path / "area.gpkg").rename(tmp_path / "moved.gpkg")
    assert go(config(tmp_path, aoi={"path": "moved.gpkg", "layer": "area"})).resumed == 4


@pytest.mark.slow
def test_a_store_that_is_older_than_areas_goes_on(tmp_path: Path) -> None:
    go(scenes.config(tmp_path))
    root = tmp_path / "job.zarr" / "zarr.json"
    said = json.loads(root.read_text())
    del said["attributes"]["wholecloth"]["fingerprint"]["source.aoi"]
    root.write_text(json.dumps(said))
    assert go(scenes.config(tmp_path)).resumed == 12


@pytest.mark.slow
def test_the_plan_says_what_the_area_costs(tmp_path: Path) -> None:
    asked = drawn(tmp_path)
    everything, part = (
        describe(prepare_job(load_config(path))) for path in (scenes.config(tmp_path, "all"), config(tmp_path))
    )
    assert part["blocks"]["count"] == 4
    assert (everything["blocks"]["count"], everything["area"]) == (12, None)
    assert part["area"]["pixels"] == asked.sum()
    assert part["area"]["share"] == pytest.approx(asked.mean())
    assert part["output_bytes_before_compression"] < everything["output_bytes_before_compression"] * 0.3
    assert part["arithmetic_overhead"] * asked.sum() < everything["arithmetic_overhead"] * asked.size
    said = dict(plan_rows(prepare_job(load_config(config(tmp_path)))))
    assert said["area"].startswith(f"{asked.sum():,} px, {asked.mean():.2%} of the raster, in ")
    assert said["blocks"].startswith("4 that touch the area, of 12 of 128 px")
    assert "× the area's pixels" in said["arithmetic"]


def test_an_area_without_a_pixels_centre_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    drawn(tmp_path)
    of = open_source(SourceConfig(path=str(tmp_path / "scene.tif"))).grid
    write(tmp_path / "sliver.gpkg", placed(shapely.box(5.1, 5.1, 5.3, 90), of), UTM)
    with pytest.raises(SourceError, match=r"sliver\.gpkg hold no pixel's centre"):
        go(config(tmp_path, aoi="sliver.gpkg"))
    assert not (tmp_path / "job.zarr").exists()


def test_the_command_line_names_what_is_wrong_and_ends_with_2(tmp_path: Path) -> None:
    drawn(tmp_path)
    done = CliRunner().invoke(app, ["run", str(tmp_path / "job.yaml"), "--set", f"source.aoi={tmp_path / 'gone.gpkg'}"])
    assert isinstance(done.exception, SourceError)
    assert done.exception.exit_code == 2
    assert "gone.gpkg: the file does not exist" in str(done.exception)


def test_paths_of_areas_are_relative_to_the_config_or_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = config(tmp_path, aoi={"path": "area.gpkg", "where": "fid = 1"})
    assert load_config(path).source.aoi.path == str(tmp_path / "area.gpkg")  # type: ignore[union-attr]
    assert load_config(config(tmp_path, "plain")).source.aoi == str(tmp_path / "area.gpkg")
    assert load_config(path, ["source.aoi=b.gpkg"]).source.aoi == str(tmp_path / "here" / "b.gpkg")
    assert load_config(path, ["source.aoi.path=b.gpkg"]).source.aoi.path == str(tmp_path / "here" / "b.gpkg")  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_store_made_within_an_area_is_judged_there_alone(tmp_path: Path) -> None:
    asked = drawn(tmp_path)
    go(config(tmp_path))
    truth = scenes.whole(tmp_path)
    scenes.write(tmp_path / "labels.tif", truth[None])
    for level in (0, 1):
        store = open_store(tmp_path / "job.zarr", level)
        labels = labels_in_aoi(open_labels(tmp_path / "labels.tif", store.grid, store.classes, ignore=[255]), store)
        found = evaluate(store, labels)
        if level == 0:
            assert found.confusion.pixels == (asked & (truth != 255)).sum()
            assert found.nodata == 0
            assert found.confusion.hits.sum() == found.confusion.pixels
            assert (found.committed, found.blocks) == (4, 4)
        else:
            assert found.nodata < 0.02 * found.confusion.pixels
    (tmp_path / "area.gpkg").unlink()
    with pytest.raises(StoreError, match=r"within an area of interest, which is needed to judge it.*does not exist"):
        labels_in_aoi(labels, store)
    drawn(tmp_path, SHAPE.buffer(3))
    with pytest.raises(StoreError, match="that has changed since"):
        labels_in_aoi(labels, store)


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_overviews_are_made_over_the_area_alone_and_counted_so(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 260, 5000)
    of = open_source(SourceConfig(path=str(tmp_path / "scene.tif"))).grid
    write(tmp_path / "area.gpkg", placed(shapely.box(4400, 20, 4700, 200), of, DEGREES), DEGREES)
    path = config(tmp_path)
    go(path)
    store = tmp_path / "job.zarr"
    assert Ledger(store, 1).committed() == {(0, 2)}
    assert overviews(store) == (7, 7)
    assert {open_store(store, level).blocks for level in range(1, 8)} == {1}
    whole = go(config(tmp_path, "whole", aoi=None))
    assert whole.complete
    for level in range(1, 4):
        one, other = (
            np.asarray(zarr.open_array(tmp_path / f"{name}.zarr" / str(level) / "mask", mode="r")[:])
            for name in ("job", "whole")
        )
        assert (
            one[:, 4420 >> level : 4680 >> level][30 >> level : 190 >> level]
            == other[:, 4420 >> level : 4680 >> level][30 >> level : 190 >> level]
        ).all()
        assert (one[:, : 4300 >> level] == 255).all()
    made = verify(job_of(store, []), lambda line: None, windows=2)
    assert made["passed"], made["why"]
    assert made["coverage"]["blocks"] == open_store(store).blocks + 7


@pytest.mark.slow
def test_memory_is_laid_out_for_the_tiles_of_the_area_and_not_for_whole_blocks(tmp_path: Path) -> None:
    scenes.config(tmp_path)
    of = open_source(SourceConfig(path=str(tmp_path / "scene.tif"))).grid
    write(tmp_path / "small.gpkg", placed(shapely.box(100, 90, 130, 110), of, DEGREES), DEGREES)
    part, all_ = (
        prepare_job(load_config(config(tmp_path, aoi="small.gpkg"))),
        prepare_job(load_config(config(tmp_path, "all", aoi=None))),
    )
    assert part.plan.tensors == all_.plan.tensors == room(all_)
    assert 0 < room(part) < room(all_) / 3
