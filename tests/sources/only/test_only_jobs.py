"""Jobs within tissue, a mask or polygons, from config to store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import yaml
from PIL import Image
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, SourceError, StoreError
from pipeline.geometry.shards import Shard
from pipeline.geometry.window import Window
from pipeline.inference import block_task
from pipeline.planning.describe import describe
from pipeline.planning.plan_rows import plan_rows
from pipeline.quality.evaluate.aoi_labels import store_area
from pipeline.quality.stats.stats import store_stats
from pipeline.quality.verify.verify import job_of, verify
from pipeline.running.execute import execute, prepare_job
from pipeline.running.finish import complete_store
from pipeline.runtime.progress import Progress
from pipeline.sources import tissue
from pipeline.sources.raster import RasterSource
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.reader import open_store
from tests.running.test_execute import digest, go
from tests.sources.only.slides import HEIGHT, STAINED, WIDTH, config, mask_of, slide
from tests.sources.only.test_mask import qupath

TISSUE = {"only": "tissue"}
LAYERS = {"layers": ["mask", "confidence"]}


def asked_for(folder: Path, name: str = "job") -> np.ndarray:
    area = store_area(open_store(folder / f"{name}.zarr"), "test it")
    assert area is not None
    return area.read(Window(row=0, col=0, height=HEIGHT, width=WIDTH))


def touched(asked: np.ndarray, block: int = 128) -> set[tuple[int, int]]:
    rows, cols = (-(-length // block) for length in asked.shape)
    return {
        (row, col)
        for row in range(rows)
        for col in range(cols)
        if asked[row * block : (row + 1) * block, col * block : (col + 1) * block].any()
    }


def painted(folder: Path, height: int = 48, width: int = 96) -> str:
    """A mask at an eighth of the resolution, of a ring and a dot."""
    rows, cols = np.mgrid[:height, :width]
    ring = np.abs(np.hypot(rows - 20, cols - 22) - 12) < 3
    Image.fromarray((ring | (np.hypot(rows - 40, cols - 60) < 2)).astype("uint8")).save(folder / "mask.png")
    return str(folder / "mask.png")


def polygons(folder: Path) -> str:
    shape = shapely.Point(150, 190).buffer(90).difference(shapely.Point(150, 190).buffer(40))
    return qupath(folder / "regions.geojson", [(shape, "Tumor"), (shapely.box(400, 20, 440, 60), "Other")])


AREAS = {
    "tissue": lambda folder: TISSUE,
    "mask": lambda folder: {"only": painted(folder)},
    "polygons": lambda folder: {"only": {"path": polygons(folder), "classes": ["Tumor"]}},
    "tissue and an aoi": lambda folder: {**TISSUE, "aoi": polygons(folder)},
    "a mask and an aoi": lambda folder: {"only": painted(folder), "aoi": polygons(folder)},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide and the store of all of it."""
    folder = tmp_path_factory.mktemp("whole")
    slide(folder / "slide.tif")
    go(config(folder, "whole", output=LAYERS))
    return folder


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("name", AREAS)
def test_what_is_asked_for_equals_the_whole_and_nothing_else_is_read_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Path, name: str
) -> None:
    slide(tmp_path / "slide.tif")
    source = AREAS[name](tmp_path)
    job = prepare_job(load_config(config(tmp_path, source=source, output=LAYERS)))
    reads, real = [], RasterSource.read
    monkeypatch.setattr(RasterSource, "read", lambda self, window: reads.append(window) or real(self, window))
    with Progress() as progress:
        report = execute(job, progress)
    asked = asked_for(tmp_path)
    assert 0.02 < asked.mean() < 0.5
    for layer, nothing in (("mask", 255), ("confidence", 0)):
        written = mask_of(tmp_path, layer=layer)
        assert (written[asked] == mask_of(whole, "whole", layer)[asked]).all()
        assert (written[~asked] == nothing).all()
    assert Ledger(tmp_path / "job.zarr").committed() == touched(asked)
    assert report.blocks == len(touched(asked)) <= 10  # of 18
    assert max(read.cols.stop for read in reads) <= STAINED  # glass beyond the halo is not even looked at
    assert report.pixels == asked.sum()
    assert report.plan["area"]["share"] == pytest.approx(asked.mean())
    assert report.plan["area"]["pixels"] == asked.sum()


@pytest.mark.slow
@pytest.mark.nightly("jobs")
@pytest.mark.parametrize(
    "sections",
    [
        {"execution": {"engine": "threads", "workers": 3}},
        {"tile": {"size": 96}, "output": {"block": 64, **LAYERS}},
        {"execution": {"engine": "processes", "workers": 2}},
        {"tile": {"overlap": 0.5, "size": 64}},
    ],
)
def test_the_area_is_the_same_whatever_the_engine_the_workers_and_the_blocks(
    tmp_path: Path, whole: Path, sections: dict[str, Any]
) -> None:
    slide(tmp_path / "slide.tif")
    go(config(tmp_path, source=TISSUE, **{"output": LAYERS, **sections}))
    go(config(tmp_path, "serial", source=TISSUE, output=LAYERS))
    asked = asked_for(tmp_path, "serial")
    assert ((mask_of(tmp_path) != 255) == asked).all()
    assert ((mask_of(tmp_path, layer="confidence") > 0) == asked).all()
    if "overlap" not in sections.get("tile", {}):
        assert (mask_of(tmp_path) == mask_of(tmp_path, "serial")).all()
    assert (asked_for(tmp_path) == asked).all()


@pytest.mark.nightly("kills")
@pytest.mark.slow
def test_a_run_that_dies_goes_on_without_another_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(config(tmp_path, "reference", source=TISSUE))
    real, calls = block_task.write_block, []

    def dies(*args: Any) -> None:
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(args)
        real(*args)

    monkeypatch.setattr(block_task, "write_block", dies)
    with pytest.raises(KeyboardInterrupt):
        go(config(tmp_path, source=TISSUE))
    monkeypatch.setattr(block_task, "write_block", real)
    kept = read_store_meta(tmp_path / "job.zarr")["tissue"]
    monkeypatch.setattr(tissue, "estimate_tissue", lambda *args: pytest.fail("estimated anew"))
    report = go(config(tmp_path, source=TISSUE))
    assert (report.resumed, report.complete) == (2, True)
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")
    assert read_store_meta(tmp_path / "job.zarr")["tissue"] == kept
    assert verify(job_of(tmp_path / "job.zarr", []), lambda line: None, windows=2)["passed"]
    for other in ({"saturation": 0.1}, {"pens": False}):
        with pytest.raises(StoreError, match=r"source\.tissue was .* and is now "):
            go(config(tmp_path, source={**TISSUE, "tissue": {"resolution": "8 px", "min_area": "400 px", **other}}))
    with pytest.raises(StoreError, match=r"source\.only was \w{32} and is now None"):
        go(config(tmp_path))
    with pytest.raises(StoreError, match=r"source\.only was \w{32} and is now \w{32}"):
        go(config(tmp_path, source={"only": painted(tmp_path)}))


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_shards_that_start_together_take_the_tissue_of_the_one_that_made_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has another estimate, as on a machine that rounds otherwise; it is dropped."""
    go(config(tmp_path, "reference", source=TISSUE))
    path, real = config(tmp_path, source=TISSUE), tissue.tissue_of

    def smaller(*args: Any, **more: Any) -> Any:
        result = real(*args, **more)
        result.mask[:, 30:] = False
        return result

    jobs = [prepare_job(load_config(path))]
    monkeypatch.setattr(tissue, "tissue_of", smaller)
    jobs.append(prepare_job(load_config(path)))
    assert jobs[0].fingerprint["source.only"] != jobs[1].fingerprint["source.only"]
    for number, job in enumerate(jobs, 1):
        with Progress() as progress:
            execute(job, progress, shard=Shard(index=number, count=2))
    complete_store(tmp_path / "job.zarr", lambda line: None)
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_frozen_plan_holds_the_tissue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = config(tmp_path, source=TISSUE)
    done = CliRunner().invoke(app, ["plan", str(path), "--freeze", str(tmp_path / "frozen.yaml")])
    assert done.exit_code == 0, done.output
    monkeypatch.setattr(tissue, "estimate_tissue", lambda *args: pytest.fail("estimated anew"))
    go(tmp_path / "frozen.yaml")
    monkeypatch.undo()
    go(config(tmp_path, "reference", source=TISSUE))
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")


@pytest.mark.slow
def test_the_plan_and_the_statistics_count_what_is_asked_for(tmp_path: Path) -> None:
    slide(tmp_path / "slide.tif")
    part = prepare_job(load_config(config(tmp_path, source={**TISSUE, "aoi": polygons(tmp_path)})))
    everything = prepare_job(load_config(config(tmp_path, "whole")))
    said, rows = describe(part), plan_rows(part)
    assert said["area"]["path"] == f"{tmp_path / 'regions.geojson'} and tissue"
    assert said["arithmetic_overhead"] * said["area"]["pixels"] < 0.5 * describe(everything)["arithmetic_overhead"] * (
        HEIGHT * WIDTH
    )
    place = [name for name, _ in rows].index("area")
    assert rows[place][1].startswith(f"{said['area']['pixels']:,} px, ")
    assert rows[place + 1][1].startswith("tissue is more saturated than 0.")
    assert "by Otsu, on means of 8 × 8 px; " in rows[place + 1][1]
    go(config(tmp_path, source={**TISSUE, "aoi": polygons(tmp_path)}))
    asked, store = asked_for(tmp_path), open_store(tmp_path / "job.zarr")
    for of, pixels in (("aoi", asked.sum()), ("raster", asked.size), ("valid", (mask_of(tmp_path) != 255).sum())):
        assert sum(row.pixels for row in store_stats(store, of=of)) == pixels  # type: ignore[arg-type]
    level = store_area(open_store(tmp_path / "job.zarr", 1), "test it")
    assert level is not None
    half = level.read(Window(row=0, col=0, height=HEIGHT // 2, width=WIDTH // 2))
    # of 2 × 2 px, the middle is their common corner, and outlines of polygons may run between
    assert (half != asked[1::2, 1::2]).mean() < 0.01


@pytest.mark.slow
def test_report_and_preview_show_the_area_over_the_slide(tmp_path: Path) -> None:
    slide(tmp_path / "slide.tif")
    path = config(tmp_path, source=TISSUE, output={"report": True})
    go(path)
    complete_store(tmp_path / "job.zarr", lambda line: None)  # by the store's own word
    page = (tmp_path / "job.report.html").read_text()
    assert "The part of the raster that was asked for, outlined" in page
    assert "by source.only" in page
    done = CliRunner().invoke(app, ["preview", str(path), "--size", "64", "--out", str(tmp_path / "look")])
    assert done.exit_code == 0, done.output
    drawn = np.asarray(Image.open(tmp_path / "look" / "area.png").convert("RGB")).astype(int)
    asked = asked_for(tmp_path)[1::2, 1::2]
    assert drawn.shape == (*asked.shape, 3)
    assert (drawn[~asked] > 160).all()  # washed out, the pens as well
    inside = drawn[asked & ~np.all(drawn == (0, 110, 60), axis=-1)]
    assert abs(inside.mean(0) - (188, 134, 182)).max() < 12  # the colours of the stains
    bare = prepare_job(load_config(config(tmp_path, "bare", source=TISSUE, output={"picture": False}))).meta()
    assert "image" not in bare["tissue"]
    assert "area" in bare


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"only": "tissue", "tissue": {"saturation": 0.95}}, r"source\.only is tissue, but there is none"),
        ({"only": "gone.png"}, r"gone\.png cannot be opened"),
        ({"only": "gone.geojson"}, r"source\.only, .*gone\.geojson: the file does not exist.*or a mask picture"),
    ],
)
def test_what_leaves_nothing_is_refused_before_anything_is_written(
    tmp_path: Path, source: dict[str, Any], words: str
) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        go(config(tmp_path, source=source))
    assert caught.value.exit_code == 2
    assert not (tmp_path / "job.zarr").exists()


def test_an_aoi_beside_the_mask_leaves_nothing_and_both_are_named(tmp_path: Path) -> None:
    far = qupath(tmp_path / "far.geojson", [(shapely.box(400, 20, 440, 60), None)])
    with pytest.raises(SourceError, match=r"far\.geojson and The pixels of source\.only, .*mask\.png together hold no"):
        go(config(tmp_path, source={"aoi": far, "only": painted(tmp_path)}))


def test_paths_are_relative_to_the_config_and_tissue_is_no_path(tmp_path: Path) -> None:
    slide(tmp_path / "slide.tif")
    assert load_config(config(tmp_path, source={"only": "mask.png"})).source.only == str(tmp_path / "mask.png")
    assert load_config(config(tmp_path, source=TISSUE)).source.only == "tissue"
    other = load_config(config(tmp_path, source={"only": {"path": "a.geojson", "classes": ["Tumor"]}})).source.only
    assert json.loads(other.model_dump_json())["path"] == str(tmp_path / "a.geojson")  # type: ignore[union-attr]
    document = yaml.safe_load(config(tmp_path, source={"only": "mask.png"}).read_text())
    document["source"]["tissue"] = {"pens": False}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=r"tissue says how tissue is estimated, but only is .*mask\.png"):
        load_config(tmp_path / "job.yaml")
