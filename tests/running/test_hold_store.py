"""Several runs and one store: who makes it, whose plan counts, and what is never deleted."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.errors import StoreError, Unfinished
from pipeline.geometry.shards import Shard
from pipeline.planning.prepare import prepare_job
from pipeline.running.hold_store import hold_store
from pipeline.store.lease.lease import acquire, holders
from pipeline.store.lifecycle import create, read_store_meta
from tests import runs, scenes
from tests.store import leases


def anything(line: str) -> None:
    """Whatever is said."""


@pytest.mark.slow
def test_of_two_that_were_planned_before_there_was_a_store_the_second_takes_the_plan_of_the_first(
    tmp_path: Path,
) -> None:
    path, said = scenes.config(tmp_path), list[str]()
    first, second = prepare_job(load_config(path, ["tile.size=96"])), prepare_job(load_config(path))
    assert first.plan.tiles != second.plan.tiles
    with hold_store(first, anything) as made:
        assert made.task.store_id == read_store_meta(made.path)["id"] != ""
    with hold_store(second, said.append) as taken:
        assert taken.plan.tiles == first.plan.tiles
        assert taken.task.recipe == first.task.recipe
        assert taken.task.layout.block == first.task.layout.block
        assert taken.resumes
    assert "its plan is taken" in said[0]
    report = runs.go(path)
    assert report.plan["tile"]["size"] == 96


@pytest.mark.slow
def test_a_picture_that_a_kill_left_unfinished_is_swept_by_the_next_run_also_of_a_store_that_is_complete(
    tmp_path: Path,
) -> None:
    path = scenes.config(tmp_path)
    store = Path(runs.go(path).store)
    left = [
        store.with_name(f"{store.stem}.{what}.{uuid.uuid4().hex}.partial") for what in ("png", "report.json", "vrt")
    ]
    for file in left:
        file.write_bytes(b"half")
        os.utime(file, (1_000_000_000, 1_000_000_000))
    runs.go(path)
    assert not any(file.exists() for file in left)


@pytest.mark.slow
def test_of_two_that_insist_on_different_plans_the_second_is_refused(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)
    first, second = prepare_job(load_config(path, ["tile.size=96"])), prepare_job(load_config(path, ["tile.size=200"]))
    with hold_store(first, anything):
        pass
    with pytest.raises(StoreError, match=r"tile\.size"), hold_store(second, anything):
        pass
    assert holders(first.path) == []


@pytest.mark.slow
def test_a_store_of_another_job_that_was_put_there_since_is_not_written_to(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)
    runs.go(path)
    job = prepare_job(load_config(path))
    scenes.scene(tmp_path / "scene.tif", seed=4)
    runs.go(path, fresh=True)
    with pytest.raises(StoreError, match=r"source\."), hold_store(job, anything):
        pass
    assert holders(job.path) == []


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize("shard", [None, Shard(index=2, count=3)])
def test_nothing_is_deleted_while_anybody_is_at_work(tmp_path: Path, shard: Shard | None) -> None:
    path = scenes.config(tmp_path)
    runs.go(path)
    store = tmp_path / "job.zarr"
    with acquire(store, shard, "somebody's run", anything):
        before = runs.everything(store)
        with pytest.raises(Unfinished, match="somebody's run"):
            runs.go(path, fresh=True)
        with pytest.raises(Unfinished, match="somebody's run"):
            runs.go(path)
        assert runs.everything(store) == before
    made = read_store_meta(store)["id"]
    assert runs.go(path, fresh=True).done == 12
    assert read_store_meta(store)["id"] != made


@pytest.mark.slow
def test_a_store_keeps_its_id_from_its_making_to_the_end_and_leaves_no_lease_behind(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)
    job = prepare_job(load_config(path))
    with pytest.raises(KeyError), hold_store(job, anything):
        raise KeyError
    made = read_store_meta(job.path)["id"]
    for _ in range(2):
        runs.go(path)
        assert read_store_meta(job.path)["id"] == made
        assert json.loads((job.path / "zarr.json").read_text())["attributes"]["wholecloth"]["complete"] is True
    assert leases.keys(job.path) == []


@pytest.mark.slow
def test_a_store_of_before_there_were_ids_and_leases_is_finished_by_a_run(tmp_path: Path) -> None:
    path = scenes.config(tmp_path)
    job = prepare_job(load_config(path))
    create(job.path, job.spec, job.meta())
    assert runs.go(path).complete
    assert "id" not in read_store_meta(job.path)
    assert leases.keys(job.path) == []
