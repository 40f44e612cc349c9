"""The main job from config to store, against one forward pass over the whole raster."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import rasterio
import tifffile
import torch
import zarr

from pipeline.config.load import load_config
from pipeline.errors import BlocksFailed, ConfigError, InputError, ModelError, PlanError, StoreError, Unfinished
from pipeline.geometry import read_sharing
from pipeline.inference import block_task
from pipeline.planning import planner, search, workers
from pipeline.planning.describe import describe
from pipeline.planning.plan_rows import plan_rows
from pipeline.running.execute import execute, prepare_job
from pipeline.running.report import Report
from pipeline.runtime.progress import Progress
from pipeline.store import hierarchy
from pipeline.store.status import status
from tests import networks, scenes
from tests.models.onnx_files import to_onnx
from tests.store import specs


def go(path: Path, *overrides: str, fresh: bool = False) -> Report:
    job = prepare_job(load_config(path, list(overrides)), fresh)
    with Progress() as progress:
        return execute(job, progress, fresh)


def mask(folder: Path, name: str = "job") -> np.ndarray:
    return np.asarray(zarr.open_array(folder / f"{name}.zarr" / "0" / "mask", mode="r")[:])


def digest(store: Path) -> dict[str, str]:
    return {
        str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(store.rglob("c/*/*"))
        if p.is_file()
    }


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=2)
@pytest.mark.parametrize(
    ("tile", "output"),
    [
        ({"size": 96}, {}),
        ({"size": "auto"}, {"block": "auto"}),
        ({"size": 80}, {"chunk": 50, "block": 150}),
        ({"size": 72, "halo": "exact"}, {"shard": 128}),
    ],
)
def test_tiled_equals_whole_whatever_the_tiles_and_blocks(
    tmp_path: Path, tile: dict[str, Any], output: dict[str, Any]
) -> None:
    report = go(scenes.config(tmp_path, tile=tile, output=output))
    assert report.complete
    assert (mask(tmp_path) == scenes.whole(tmp_path)).all()


@pytest.mark.slow
def test_a_halo_that_is_too_small_shows_seams(tmp_path: Path) -> None:
    """The control of the test above: were the halo ignored, or the network blind to it, this would pass there."""
    report = go(scenes.config(tmp_path, tile={"size": 40, "halo": 0}))
    assert report.complete
    assert (mask(tmp_path) != scenes.whole(tmp_path)).sum() > 100


def onnx_model(folder: Path, **how: Any) -> dict[str, Any]:
    return {"kind": "onnx", "path": str(to_onnx(torch.jit.load(str(scenes.unet(folder))), folder / "unet.onnx", **how))}


@pytest.mark.slow
def test_an_onnx_network_gives_the_mask_of_the_whole_and_remembers_its_file(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, model=onnx_model(tmp_path), tile={"size": 96})
    report = go(path)
    assert report.complete
    assert (mask(tmp_path) == scenes.whole(tmp_path)).all()
    assert go(path).done == 0
    network = onnx.load(tmp_path / "unet.onnx")
    network.doc_string = "another file"
    onnx.save(network, tmp_path / "unet.onnx")
    with pytest.raises(StoreError, match=r"model\.sha256"):
        go(path)


@pytest.mark.slow
def test_a_fixed_size_of_an_onnx_network_is_the_tile(tmp_path: Path) -> None:
    report = go(scenes.config(tmp_path, model=onnx_model(tmp_path, shape=(1, 3, 96, 96), fixed=True)))
    assert report.plan["tile"]["size"] == 96
    assert (mask(tmp_path) == scenes.whole(tmp_path)).all()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["serial", "threads"])
def test_engines_write_the_same_bytes(tmp_path: Path, engine: str) -> None:
    layers = {"layers": ["mask", "confidence"]}
    go(scenes.config(tmp_path, "reference", output=layers))
    go(scenes.config(tmp_path, output=layers, execution={"engine": engine, "workers": 3}))
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")
    assert len(digest(tmp_path / "job.zarr")) > 40


@pytest.mark.slow
def test_a_run_that_dies_goes_on_where_it_was_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(scenes.config(tmp_path, "reference"))
    path, real, calls = scenes.config(tmp_path), block_task.write_block, []

    def dies(*args: Any) -> None:
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(args)
        real(*args)

    monkeypatch.setattr(block_task, "write_block", dies)
    with pytest.raises(KeyboardInterrupt):
        go(path)
    monkeypatch.setattr(block_task, "write_block", real)
    assert status(tmp_path / "job.zarr").committed == 4
    debris = tmp_path / "job.zarr" / "0" / "mask" / "c" / "0" / "0.abc.partial"
    debris.parent.mkdir(parents=True, exist_ok=True)
    debris.write_bytes(b"cut short")
    report = go(path)
    assert (report.resumed, report.done) == (4, 8)
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")
    assert not debris.exists()


@pytest.mark.slow
def test_a_complete_store_is_left_as_it_is_but_for_its_colours(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)
    go(path)
    before = digest(tmp_path / "job.zarr")
    recoloured = [{**row, "color": "#123456"} for row in scenes.CLASSES]
    report = go(scenes.config(tmp_path, model={"classes": recoloured}))
    assert (report.resumed, report.done) == (12, 0)
    assert digest(tmp_path / "job.zarr") == before
    assert "#123456" in zarr.open_array(tmp_path / "job.zarr/0/mask", mode="r").attrs["flag_colors"]


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"model": {"input": {"mean": 400}}}, "model.input.mean"),
        ({"output": {"chunk": 32}}, "output.chunk"),
        ({"tile": {"size": 200}}, "tile.size"),
        ({"source": {"nodata": 7}}, "source.nodata"),
        ({"output": {"layers": ["mask", "confidence"]}}, "output.layers"),
    ],
)
def test_another_job_on_the_same_store_is_refused_and_the_key_is_named(
    tmp_path: Path, change: dict[str, Any], key: str
) -> None:
    go(scenes.config(tmp_path, tile={"size": 96}))
    with pytest.raises(StoreError, match=f"{key}.*--fresh"):
        go(scenes.config(tmp_path, **{"tile": {"size": 96}, **change}))
    assert go(scenes.config(tmp_path, **{"tile": {"size": 96}, **change}), fresh=True).done == 12


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    "change",
    [
        {"execution": {"retries": 7, "workers": 2, "engine": "threads"}},
        {"tile": {"size": "auto"}},
        {"execution": {"memory": "9GiB"}},
    ],
)
def test_what_changes_no_pixel_does_not_invalidate_a_store(tmp_path: Path, change: dict[str, Any]) -> None:
    go(scenes.config(tmp_path, tile={"size": 96}))
    assert go(scenes.config(tmp_path, **{"tile": {"size": 96}, **change})).resumed == 12


@pytest.mark.slow
def test_a_source_that_changed_is_refused(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)
    go(path)
    scenes.scene(tmp_path / "scene.tif", seed=5)
    with pytest.raises(StoreError, match=r"source\..*--fresh"):
        go(path)


def test_somebody_elses_folder_is_never_touched(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)
    (tmp_path / "job.zarr").mkdir()
    (tmp_path / "job.zarr" / "diary.txt").write_text("keep me")
    with pytest.raises(StoreError, match=r"job\.zarr"):
        go(path, fresh=True)
    assert (tmp_path / "job.zarr" / "diary.txt").read_text() == "keep me"


@pytest.mark.slow
def test_windows_that_cannot_be_read_stay_nodata_and_a_rerun_tries_only_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import ReadError
    from pipeline.sources.raster import RasterSource

    path, real = scenes.config(tmp_path, execution={"retries": 0}), RasterSource.read

    def faulty(self: RasterSource, window: Any) -> Any:
        if window.rows.start <= 130 < window.rows.stop and window.cols.start <= 10 < window.cols.stop:
            raise ReadError(f"the disk is away at {window}")
        return real(self, window)

    monkeypatch.setattr(RasterSource, "read", faulty)
    with pytest.raises(BlocksFailed, match="block 1,0"):
        go(path)
    monkeypatch.setattr(RasterSource, "read", real)
    broken, expected = mask(tmp_path), scenes.whole(tmp_path)
    failed = [tuple(map(int, key.split(","))) for key in status(tmp_path / "job.zarr").failures]
    for row, col in failed:
        where = np.s_[row * 128 : row * 128 + 128, col * 128 : col * 128 + 128]
        assert (broken[where] == 255).all()
        expected[where] = 255
    assert (broken == expected).all()
    assert not status(tmp_path / "job.zarr").complete
    said = json.loads((tmp_path / "job.report.json").read_text())
    assert (said["complete"], len(said["failures"])) == (False, len(failed))
    report = go(path)
    assert (report.done, report.complete) == (len(failed), True)
    assert (mask(tmp_path) == scenes.whole(tmp_path)).all()
    assert status(tmp_path / "job.zarr").failures == {}


@pytest.mark.parametrize(("said", "patience"), [("2m", 120.0), ("null", None)])
def test_a_read_has_as_long_as_the_config_says(tmp_path: Path, said: str, patience: float | None) -> None:
    source = prepare_job(load_config(scenes.config(tmp_path), [f"execution.read_timeout={said}"])).source
    assert getattr(source, "seconds", None) == patience


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_store_keeps_the_codec_that_it_was_made_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(scenes.config(tmp_path, "reference"))
    path, real, calls = scenes.config(tmp_path), block_task.write_block, []

    def dies(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*args)

    with monkeypatch.context() as before:
        before.setattr(hierarchy, "_codec", lambda _, level=3: zarr.codecs.GzipCodec(level=2))
        before.setattr(block_task, "write_block", dies)
        with pytest.raises(KeyboardInterrupt):
            go(path)
    assert go(path).resumed == 2
    store = load_config(path).output.path
    assert zarr.open_array(store / "0" / "mask", mode="r").compressors == (zarr.codecs.GzipCodec(level=2),)
    assert all(
        file.read_bytes()[:2] == b"\x1f\x8b" for file in (store / "0" / "mask" / "c").rglob("*") if file.is_file()
    )
    assert (mask(tmp_path) == mask(tmp_path, "reference")).all()


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_a_rerun_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real, calls = scenes.config(tmp_path), block_task.write_block, []

    def full(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*args)

    monkeypatch.setattr(block_task, "write_block", full)
    with pytest.raises(Unfinished, match="No space left"):
        go(path)
    assert go(path).resumed == 2
    assert (mask(tmp_path) == scenes.whole(tmp_path)).all()


def test_a_disk_that_cannot_hold_the_store_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scenes.config(tmp_path)
    monkeypatch.setattr("pipeline.runtime.disk.shutil.disk_usage", lambda _: type("Usage", (), {"free": 500})())
    with pytest.raises(PlanError, match="500 B free"):
        go(path)
    assert not (tmp_path / "job.zarr").exists()


@pytest.mark.slow
def test_a_resume_on_a_smaller_machine_is_refused_and_not_replanned(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)
    go(path)
    with pytest.raises(PlanError, match=r"execution\.memory"):
        go(path, "execution.memory=100MiB")


def test_a_raster_without_a_valid_pixel_is_not_inferred(tmp_path: Path) -> None:
    scenes.write(tmp_path / "scene.tif", np.zeros((3, 200, 150), "uint16"), nodata=0)
    report = go(scenes.config(tmp_path))
    assert (report.empty, report.blocks) == (4, 4)
    assert (mask(tmp_path) == 255).all()


@pytest.mark.slow
def test_a_network_that_is_not_local_is_blended_and_does_not_depend_on_blocks(tmp_path: Path) -> None:
    path = scenes.script(networks.lively(networks.SqueezeExcite()), tmp_path / "se.pt")
    model = {"path": str(path), "input": {"mean": 500, "std": 200, "size": 96}}
    report = go(scenes.config(tmp_path, "small", model=model))
    go(scenes.config(tmp_path, "large", model=model, output={"block": 512}))
    assert report.plan["halo"]["px"] is None
    assert "global pooling" in report.plan["halo"]["why"]
    small, large = mask(tmp_path, "small"), mask(tmp_path, "large")
    assert (small != large).mean() < 1e-4
    assert len(np.unique(small)) > 2
    with pytest.raises(ConfigError, match="global pooling"):
        prepare_job(load_config(scenes.config(tmp_path, "exact", model=model, tile={"halo": "exact"})))


@pytest.mark.slow
def test_one_logit_means_two_classes(tmp_path: Path) -> None:
    path = scenes.script(networks.Twice(classes=1), tmp_path / "one.pt")
    go(
        scenes.config(
            tmp_path, model={"path": str(path), "classes": [{"name": "no", "code": 3}, {"name": "yes", "code": 9}]}
        )
    )
    assert set(np.unique(mask(tmp_path))) == {3, 9, 255}


@pytest.mark.slow
def test_codes_beyond_bytes_make_a_mask_of_uint16(tmp_path: Path) -> None:
    go(scenes.config(tmp_path, model={"classes": [{"name": name, "code": 1000 + k} for k, name in enumerate("abcd")]}))
    made = mask(tmp_path)
    assert made.dtype == np.uint16
    expected = scenes.whole(tmp_path).astype(int)
    assert (made == np.where(expected == 255, 65535, expected + 1000)).all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"source": {"path": "gone.tif"}}, InputError, "gone.tif"),
        ({"source": {"bands": [1, 2, 9]}}, InputError, "band 9"),
        ({"source": {"bands": [1, 2]}}, InputError, "band"),
        ({"model": {"input": {"mean": [1.0, 2.0]}}}, ConfigError, "mean has 2"),
        ({"model": {"classes": scenes.CLASSES[:2]}}, ConfigError, "4 classes"),
        ({"model": {"path": "gone.pt"}}, ModelError, "gone.pt"),
        ({"output": {"nodata": 2}}, ConfigError, "code of a class"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    path = scenes.config(tmp_path)
    with pytest.raises(error, match=words):
        prepare_job(load_config(scenes.config(tmp_path, **change)))
    assert path.exists()
    assert not (tmp_path / "job.zarr").exists()


@pytest.mark.slow
def test_a_million_by_a_million_is_planned_from_a_raster_of_nothing(tmp_path: Path) -> None:
    bands = "".join(f'<VRTRasterBand dataType="UInt16" band="{b}"/>' for b in (1, 2, 3))
    vrt = tmp_path / "huge.vrt"
    vrt.write_text(f'<VRTDataset rasterXSize="1000000" rasterYSize="1000000">{bands}</VRTDataset>')
    job = prepare_job(
        load_config(scenes.config(tmp_path, source={"path": str(vrt)}, output={"chunk": 512, "block": "auto"}))
    )
    assert job.task.layout.count > 10**5
    assert job.plan.peak <= job.plan.budget


@pytest.mark.slow
def test_memory_and_disk_are_planned_for_the_probabilities_of_every_class(tmp_path: Path) -> None:
    def planned(classes: int, **output: Any) -> tuple[int, int]:
        path = scenes.script(networks.Twice(classes=classes), tmp_path / f"{classes}.pt")
        job = prepare_job(
            load_config(scenes.config(tmp_path, model={"path": str(path), "classes": None}, output=output))
        )
        return job.plan.buffers["output and its encoding"], describe(job)["output_bytes_before_compression"]

    (least, disk), (few, _), (many, larger), (half, _) = (
        planned(5),
        planned(2, layers=["mask", "probabilities"]),
        planned(5, layers=["mask", "probabilities"]),
        planned(5, layers=["mask", "probabilities"], probabilities_dtype="float16"),
    )
    pixel = 3 * 128 * 128  # of the only block in flight
    assert (few - least, many - least, half - least) == (2 * pixel, 5 * pixel, 10 * pixel)
    assert larger == pytest.approx(6 * disk, abs=5)


@pytest.mark.slow
def test_the_report_and_the_picture_lie_beside_the_store(tmp_path: Path) -> None:
    report = go(scenes.config(tmp_path, output={"layers": ["mask", "confidence"]}))
    assert {Path(p).name for p in report.files.values()} == {"job.zarr", "job.png", "job.report.json", "job.vrt"}
    assert json.loads((tmp_path / "job.report.json").read_text())["complete"] is True
    with rasterio.open(tmp_path / "job.png") as picture:
        assert picture.read().std() > 10


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_overviews_are_asked_for_when_the_store_is_made(tmp_path: Path) -> None:
    without = scenes.config(tmp_path, output={"pyramid": False})
    go(without)
    with pytest.raises(StoreError, match="made without overviews"):
        prepare_job(load_config(without, ["output.pyramid=true"]))
    assert prepare_job(load_config(without)).complete
    go(scenes.config(tmp_path, "other"))
    assert prepare_job(load_config(scenes.config(tmp_path, "other", output={"pyramid": False}))).spec.levels == 4


def test_nothing_that_is_measured_before_the_run_changes_how_it_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ScriptModule keeps what it was optimised to.

    A store that is resumed, whose plan is measured no more, would round otherwise.
    """
    seen, measure = [], planner.activation_memory.measure_activation_memory

    def noted(*args: Any, **more: Any) -> Any:
        seen.append(torch._C._get_graph_executor_optimize())
        return measure(*args, **more)

    monkeypatch.setattr(planner.activation_memory, "measure_activation_memory", noted)
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))
    prepare_job(load_config(scenes.config(tmp_path)))
    assert seen == [False]
    assert torch._C._get_graph_executor_optimize()


@pytest.mark.slow
@pytest.mark.nightly("jobs")
@pytest.mark.parametrize("engine", ["serial", "threads"])
def test_what_neighbours_share_is_decoded_once_in_swaths_and_the_bytes_are_those_of_blocks_that_share_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    scenes.scene(tmp_path / "scene.tif", 380, 760)
    said: dict[str, Any] = {"output": {"layers": ["mask", "confidence"]}, "execution": {"engine": engine, "workers": 3}}
    shared = go(scenes.config(tmp_path, **said))
    assert shared.plan["reading"]["held"] > 0
    assert shared.read_amplification == pytest.approx(shared.plan["read_amplification"], rel=0.05)
    assert json.loads((tmp_path / "job.report.json").read_text())["read_amplification"] == pytest.approx(1, abs=0.05)
    monkeypatch.setattr(read_sharing, "AIM", 1.6)
    swaths = go(scenes.config(tmp_path, "swaths", **said))
    assert swaths.plan["reading"]["swaths"] > 1
    assert 1 < swaths.read_amplification == pytest.approx(swaths.plan["read_amplification"], rel=0.1)
    monkeypatch.setattr(
        search,
        "plan_read_sharing",
        lambda layout, block, per_pixel, room, workers: read_sharing.plan_read_sharing(
            layout, block, per_pixel, 0, workers
        ),
    )
    alone = go(scenes.config(tmp_path, "alone", **said))
    assert alone.plan["reading"]["held"] == 0
    assert alone.read_amplification == pytest.approx(alone.plan["read_amplification"], abs=1e-4)
    assert alone.read_amplification > swaths.read_amplification
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "swaths.zarr") == digest(tmp_path / "alone.zarr")
    records = [specs.records(tmp_path / f"{name}.zarr") for name in ("job", "swaths", "alone")]
    assert records[0] == records[1] == records[2]


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_resumed_run_shares_what_its_own_memory_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes.scene(tmp_path / "scene.tif", 300, 640)
    go(scenes.config(tmp_path, "reference"))
    path, real, calls = scenes.config(tmp_path), block_task.write_block, []

    def dies(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 6:
            raise KeyboardInterrupt
        real(*args)

    monkeypatch.setattr(block_task, "write_block", dies)
    with pytest.raises(KeyboardInterrupt):
        go(path)
    monkeypatch.setattr(block_task, "write_block", real)
    monkeypatch.setattr(read_sharing, "AIM", 1.6)
    report = go(path)
    assert (report.complete, report.resumed, report.plan["reading"]["swaths"] > 1) == (True, 5, True)
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")


@pytest.mark.slow
@pytest.mark.parametrize(("room", "told"), [(10**12, "allowed"), (10, "tiles that do not fit are halved")])
def test_a_device_with_memory_of_its_own_is_told_of_beside_that_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, told: str
) -> None:
    monkeypatch.setattr(workers, "device_room", lambda device: room)
    job = prepare_job(load_config(scenes.config(tmp_path)))
    of = dict(plan_rows(job))["on device"]
    assert of.endswith(told)
    assert describe(job)["device_memory"]["room"] == room
    assert "activations" not in describe(job)["memory"]["buffers"]
    assert describe(job)["device_memory"]["buffers"]["activations"] > 0


@pytest.mark.parametrize("name", ["mask.tif", "mask.PNG", "mask.gpkg"])
def test_a_store_is_not_named_like_a_file_of_another_form(tmp_path: Path, name: str) -> None:
    path = scenes.config(tmp_path, output={"path": str(tmp_path / name)})
    with pytest.raises(ConfigError, match=r"a store is a folder in Zarr\. Name it mask\.zarr"):
        prepare_job(load_config(path))


@pytest.mark.slow
def test_the_report_says_how_many_pixels_are_invalid_and_why_each_counted_once(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "scene.tif", 200, 230)
    with rasterio.open(tmp_path / "scene.tif", "r+") as opened:
        opened.write_mask(np.arange(230)[None].repeat(200, 0) >= 30)
    path = scenes.config(tmp_path)
    with Progress() as progress:
        report = execute(prepare_job(load_config(path)), progress)
    assert report.blocks > 1
    hole = np.zeros((200, 230), bool)
    hole[100:140, 76:146] = True
    assert report.invalid == {"nodata": int(hole.sum()), "mask": 30 * 200}


def test_what_of_a_file_is_not_read_is_told_by_the_plan_and_belongs_to_the_refusal_of_a_network_that_lacks_it(
    tmp_path: Path,
) -> None:
    tifffile.imwrite(tmp_path / "scene.tif", np.ones((3, 70, 80), "uint16"), photometric="minisblack")
    with pytest.raises(
        ModelError, match=r"takes 3 bands.*Of the source: the file has 3 pages, and only the first is read"
    ):
        prepare_job(load_config(scenes.config(tmp_path)))
    tifffile.imwrite(tmp_path / "scene.tif", np.ones((2, 70, 80, 3), "uint16"), photometric="rgb")
    rows = plan_rows(prepare_job(load_config(scenes.config(tmp_path))))
    assert any("the file has 2 pages" in text for _, text in rows)
