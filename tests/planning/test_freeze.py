"""A plan that was frozen: a config with nothing left to decide, that makes the same bytes wherever it is run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from pipeline.config import Config
from pipeline.config.load import load_config
from pipeline.errors import ConfigError, PlanError, StoreError
from pipeline.planning import folding, frozen_plan, open_job, planner
from pipeline.planning.freeze import MARK, freeze
from pipeline.planning.job import Job
from pipeline.quality.verify.verify import job_of
from pipeline.running.execute import execute, prepare_job
from pipeline.running.report import Report
from pipeline.runtime import resources
from pipeline.runtime.memory_constants import RUN_GROWTH
from pipeline.runtime.progress import Progress
from pipeline.store.lifecycle import read_store_meta
from pipeline.store.status import status
from tests import networks, scenes
from tests.running.test_execute import digest

AUTO = {
    "output": {"chunk": 64, "block": "auto", "layers": ["mask", "confidence"]},
    "execution": {"engine": "serial", "device": "auto"},
}


TILED = {**AUTO, "tile": {"size": 96}, "output": {**AUTO["output"], "block": 128}}


def go(job: Job, fresh: bool = False) -> Report:
    with Progress() as progress:
        return execute(job, progress, fresh)


def frozen(path: Path, name: str = "run.lock.yaml", *overrides: str) -> Path:
    return freeze(prepare_job(load_config(path, list(overrides))), path, path.parent / name)


def elsewhere(monkeypatch: pytest.MonkeyPatch, cores: int = 7, memory: int = 400 * 2**20) -> None:
    """Another node: other cores, another budget."""
    monkeypatch.setattr(resources, "cores", lambda: cores)
    monkeypatch.setattr(resources, "default_budget", lambda: resources.resident() + memory)


def blended(folder: Path) -> dict[str, Any]:
    path = scenes.script(networks.lively(networks.SqueezeExcite()), folder / "se.pt")
    return {**AUTO, "model": {"path": str(path)}, "tile": {"size": 96, "overlap": 0.4}}


@pytest.mark.slow
def test_the_file_says_what_it_is_and_leaves_nothing_open(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, **AUTO)
    file = frozen(path)
    text = file.read_text()
    assert text.startswith(MARK)
    for words in (
        f"wholecloth plan {path} --freeze {file}",
        f"wholecloth run {file} --locked",
        "is not needed to resume",
    ):
        assert words in text
    said, job = load_config(file), prepare_job(load_config(path))
    assert said.tile.model_dump() == {
        "size": job.plan.tiles.size,
        "halo": job.plan.tiles.halo,
        "overlap": 0,
        "taper": "flat",
        "blend": "logits",
        "augment": "none",
        "pad": "none",
        "batch": 1,
    }
    assert (said.output.block, said.output.shard, said.output.nodata) == (job.plan.tiles.block, "none", 255)
    assert (said.execution.precision, said.execution.fold, said.execution.device) == (
        "float32",
        job.task.recipe.fold,
        "cpu",
    )
    assert said.model.output.activation == "softmax"
    assert said.locked is not None
    assert (said.locked.device, said.locked.recipe) == ("cpu", {**job.meta()["recipe"]})
    assert yaml.safe_load(text)["model"]["classes"] == scenes.CLASSES


@pytest.mark.slow
def test_what_is_frozen_is_read_back_to_the_last_digit(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, **blended(tmp_path))
    job, locked = prepare_job(load_config(path)), load_config(frozen(path)).locked
    assert locked is not None
    said = json.loads(json.dumps(job.meta()))
    for name in ("tiles", "costs", "recipe", "fingerprint", "locality", "levels", "versions"):
        held = getattr(locked, name)
        assert held == said[name] if name != "costs" else held.keys() == said[name].keys()


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("kind", ["halo", "blended"])
def test_a_node_of_other_cores_and_memory_makes_the_same_bytes_by_the_frozen_plan_and_only_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = scenes.config(tmp_path, **(TILED if kind == "halo" else blended(tmp_path)))
    file = frozen(path)
    go(prepare_job(load_config(path)))
    elsewhere(monkeypatch)
    own = prepare_job(load_config(path, [f"output.path={tmp_path / 'own.zarr'}"]))
    taken = prepare_job(load_config(file, [f"output.path={tmp_path / 'other.zarr'}"]))
    there = read_store_meta(tmp_path / "job.zarr")
    assert own.task.recipe.threads == 7 != taken.task.recipe.threads  # the control: a plan of its own is another one
    go(taken)
    made = read_store_meta(tmp_path / "other.zarr")
    for name in ("tiles", "recipe", "fingerprint", "levels", "locality", "blocks"):
        assert made[name] == there[name]
    assert digest(tmp_path / "other.zarr") == digest(tmp_path / "job.zarr")
    assert len(digest(tmp_path / "job.zarr")) > 10


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_tiles_that_a_node_with_less_memory_would_choose_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.scene(tmp_path / "scene.tif", 1500, 1500)
    path = scenes.config(tmp_path, **AUTO)
    file, plan = frozen(path), prepare_job(load_config(path)).plan
    large, fixed = plan.tiles, plan.costs.gdal_cache + RUN_GROWTH
    elsewhere(monkeypatch, memory=fixed + plan.tensors // 2)
    small = prepare_job(load_config(path)).plan.tiles
    assert small.size < large.size  # the control
    with pytest.raises(PlanError, match=r"execution\.memory allows"):
        prepare_job(load_config(file))
    assert prepare_job(load_config(file, ["execution.memory=64GiB"])).plan.tiles == large


@pytest.mark.parametrize(
    ("then", "now", "differ"),
    [
        ("2.9.0+cu128", "2.9.0", False),
        ("2.9.0", "2.9.0+cpu", False),
        ("2.9.0+cu128", "2.9.0+cpu", True),
        ("2.9.0", "2.9.1", True),
        ("2.9.0+cpu", "2.9.0+cpu", False),
    ],
)
def test_a_release_without_its_build_is_any_build_of_it(then: str, now: str, differ: bool) -> None:
    assert frozen_plan._differs(then, now) is differ


@pytest.mark.slow
def test_nothing_is_measured_for_a_frozen_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scenes.config(tmp_path, **AUTO)
    file = frozen(path)

    def measures(*_: Any, **__: Any) -> Any:
        raise AssertionError("measured anew")

    monkeypatch.setattr(planner.activation_memory, "measure_activation_memory", measures)
    monkeypatch.setattr(open_job, "cached", measures)
    monkeypatch.setattr(folding, "_fold_difference", measures)
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path / "cache"))
    go(prepare_job(load_config(file)))
    with pytest.raises(AssertionError, match="measured anew"):
        prepare_job(load_config(path, [f"output.path={tmp_path / 'own.zarr'}"]))


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=4)
@pytest.mark.parametrize(
    "override",
    [
        "execution.engine=threads",
        "execution.workers=3",
        "execution.memory=9GiB",
        "execution.retries=0",
        "execution.stop_after=2h",
        "execution.read_timeout=60",
        "output.certificate=true",
        "tile.size=auto",
        "execution.fold=auto",
        "execution.streams=1",
    ],
)
def test_what_changes_no_byte_may_be_set(tmp_path: Path, override: str) -> None:
    file = frozen(scenes.config(tmp_path, **AUTO))
    assert prepare_job(load_config(file, [override])).plan.tiles.as_dict() == load_config(file).locked.tiles  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=5)
@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("tile.size=64", r"tile\.size is locked at \d+ and would be 64"),
        ("tile.halo=4", r"tile\.halo is locked at \d+ and would be 4"),
        ("tile.overlap=0.5", r"tile\.step is locked at 0 and would be"),
        ("tile.augment=flips", r"tile\.augment is locked at none and would be flips"),
        ("output.block=64", r"output\.block is locked at \d+ and would be 64"),
        ("output.nodata=9", r"output\.nodata is locked at 255 and would be 9"),
        ("output.layers=[mask]", r"output\.layers is locked at \['confidence', 'mask'\] and would be \['mask'\]"),
        ("output.pyramid=false", r"output\.pyramid is locked at 4 levels and would be 1 levels"),
        ("execution.precision=bfloat16", r"execution\.precision is locked at float32 and would be bfloat16"),
        ("execution.fold=false", r"execution\.fold is locked at True and would be False"),
        ("model.input.mean=1", r"model\.input\.mean is locked at"),
        ("source.nodata=7", r"source\.nodata is locked at auto and would be 7"),
    ],
)
def test_what_changes_a_byte_is_refused_by_name(tmp_path: Path, override: str, words: str) -> None:
    file = frozen(scenes.config(tmp_path, **AUTO))
    with pytest.raises(ConfigError, match=f"{words}.*freeze another plan"):
        prepare_job(load_config(file, [override]))


@pytest.mark.slow
def test_another_source_or_network_is_refused_and_the_same_weights_elsewhere_are_not(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, **AUTO)
    file, copy = frozen(path), tmp_path / "copy.pt"
    shutil.copy(tmp_path / "unet.pt", copy)
    assert prepare_job(load_config(file, [f"model.path={copy}"])).blocks
    scenes.script(networks.lively(networks.UNet(base=5)), copy)
    with pytest.raises(ConfigError, match=r"model\.sha256 is locked at \w+.* and would be \w+"):
        prepare_job(load_config(file, [f"model.path={copy}"]))
    scenes.scene(tmp_path / "scene.tif", seed=5)
    with pytest.raises(ConfigError, match=r"source\.files is locked at \w+ and would be \w+"):
        prepare_job(load_config(file))


@pytest.mark.slow
def test_a_frozen_plan_works_wherever_its_file_lies(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, **AUTO)
    said = yaml.safe_load(path.read_text())
    said["source"]["path"], said["model"]["path"], said["output"]["path"] = "scene.tif", "unet.pt", "out/job.zarr"
    path.write_text(yaml.safe_dump(said))
    file = frozen(path)
    (tmp_path / "far" / "away").mkdir(parents=True)
    moved = Path(shutil.move(file, tmp_path / "far" / "away" / "x.yaml"))
    job = prepare_job(load_config(moved))
    assert (job.path, job.config.source.path) == (tmp_path / "out" / "job.zarr", str(tmp_path / "scene.tif"))


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_store_of_another_plan_is_refused_and_one_of_this_plan_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scenes.config(tmp_path, **AUTO)
    file = frozen(path)
    assert go(prepare_job(load_config(file))).done == 1
    assert go(prepare_job(load_config(file))).done == 0
    with monkeypatch.context() as there:
        elsewhere(there)
        go(prepare_job(load_config(path), fresh=True), fresh=True)
    with pytest.raises(
        StoreError, match=r"made by another plan.*recipe\.threads is 7 in the store and locked at \d+.*--fresh"
    ):
        prepare_job(load_config(file))
    assert go(prepare_job(load_config(file), fresh=True), fresh=True).resumed == 0
    assert go(prepare_job(load_config(path))).done == 0


@pytest.mark.slow
def test_a_store_does_not_hold_the_lock_and_is_verified_without(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, **blended(tmp_path))
    go(prepare_job(load_config(frozen(path))))
    meta = read_store_meta(tmp_path / "job.zarr")
    assert "locked" not in meta["config"]
    assert "locked" not in meta["given"]
    assert job_of(tmp_path / "job.zarr", []).complete
    assert not status(tmp_path / "job.zarr").resume


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tiles": {"size": 3}}, "no plan of this release"),
        ({"costs": {"more": 1}}, "no plan of this release"),
        ({"locality": {}}, "no plan of this release"),
        ({"recipe": {"precision": "float32"}}, r"locked\.recipe lacks fold, memory_format, threads"),
    ],
)
def test_a_damaged_section_is_told_and_nothing_is_decided_in_its_place(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    file = frozen(scenes.config(tmp_path, **AUTO))
    with pytest.raises(ConfigError, match=words):
        prepare_job(changed(load_config(file), **change))


def changed(said: Config, **fields: Any) -> Config:
    assert said.locked is not None
    return said.model_copy(update={"locked": said.locked.model_copy(update=fields)})


def test_another_kind_of_device_is_refused_and_other_libraries_are_told(tmp_path: Path) -> None:
    said = load_config(frozen(scenes.config(tmp_path, **AUTO)))
    with pytest.raises(ConfigError, match=r"execution\.device is locked at cuda and would be cpu"):
        prepare_job(changed(said, device="cuda"))
    assert list(frozen_plan.environment_differences(said.locked, "cpu")) == []
    assert list(frozen_plan.environment_differences(None, "cpu")) == []
    older = changed(said, versions={"torch": "1.0"}, hardware="ABACUS").locked
    torch_, hardware = frozen_plan.environment_differences(older, "cpu")
    assert f"torch 1.0 and runs with {torch.__version__}" in torch_
    assert "hardware ABACUS" in hardware


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_tolerance_is_measured_once(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, **AUTO, tile={"halo": {"tolerance": 0.05}})
    file = frozen(path)
    said, job = load_config(file), prepare_job(load_config(file))
    assert said.tile.halo == job.plan.tiles.halo
    assert job.plan.tiles.tolerated is not None
    go(job)
    go(prepare_job(load_config(path)))


@pytest.mark.slow
def test_a_plan_is_frozen_from_the_store_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scenes.config(tmp_path, **AUTO)
    go(prepare_job(load_config(path)))
    elsewhere(monkeypatch)
    locked = load_config(frozen(path)).locked
    assert locked is not None
    assert locked.recipe == read_store_meta(tmp_path / "job.zarr")["recipe"]


@pytest.mark.slow
def test_no_file_but_a_frozen_plan_is_overwritten(tmp_path: Path) -> None:
    path = scenes.config(tmp_path, **AUTO)
    before = path.read_text()
    with pytest.raises(ConfigError, match=r"--freeze is .*job\.yaml, which exists, is no frozen plan"):
        frozen(path, "job.yaml")
    assert path.read_text() == before
    frozen(path)
    assert load_config(frozen(path)).locked is not None
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        frozen(path, "file/run.lock.yaml")


def test_names_and_words_of_any_kind_come_through(tmp_path: Path) -> None:
    classes = [{"name": name, "color": "#112233"} for name in ("null", 'a "b": {c}', "Wässer\t× 水 😀", "true")]
    file = frozen(
        scenes.config(
            tmp_path, **AUTO, model={"classes": classes, "input": {"mean": [500, 1e-7, 3], "std": [200.0, 1e22, 0.1]}}
        )
    )
    said = load_config(file).model
    assert said.classes is not None
    assert said.input is not None
    assert [row.name for row in said.classes] == [row["name"] for row in classes]
    assert np.array_equal([said.input.mean, said.input.std], [[500, 1e-7, 3], [200.0, 1e22, 0.1]])
