from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.config import SourceConfig
from pipeline.config.load import load_config
from pipeline.inference import opened_networks
from pipeline.inference.worker_check import WorkerRequirements
from pipeline.models.torch_compile import why_not_compilable
from pipeline.planning.job import Job
from pipeline.running import engine_options, execute
from pipeline.runtime.cancellation import CANCELLED
from pipeline.runtime.resources import human
from pipeline.sources import open_source
from pipeline.store import lifecycle as store
from tests import scenes


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = execute.prepare_job(load_config(scenes.config(tmp_path, execution={"engine": "processes", "processes": 2})))
    assert store.create(made.path, made.spec, made.meta())
    return made


def needs(job: Job) -> WorkerRequirements:
    """What a worker gets, over the wire."""
    asked = engine_options.engine_options(job, lambda line: None).needs
    assert isinstance(asked, WorkerRequirements)
    travelled: Any = pickle.loads(pickle.dumps(asked))
    return travelled


@pytest.mark.slow
def test_where_all_is_there_nothing_lacks_and_the_network_is_open(job: Job) -> None:
    asked = needs(job)
    CANCELLED.set()
    assert asked(None) == ()
    assert not CANCELLED.is_set()
    assert job.path in opened_networks._inferences
    asked.release()
    assert job.path not in opened_networks._inferences


def test_a_spec_is_small(job: Job) -> None:
    assert len(pickle.dumps(engine_options.engine_options(job, lambda line: None).needs)) < 20_000


def test_missing_weights_are_named(job: Job, tmp_path: Path) -> None:
    asked = needs(job)
    (tmp_path / "unet.pt").unlink()
    (said,) = asked(None)
    assert said.startswith("the network: model.path is")
    assert "unet.pt, which does not exist" in said


@pytest.mark.slow
def test_other_weights_of_the_same_name_are_named(job: Job, tmp_path: Path) -> None:
    asked = needs(job)
    assert asked(None) == ()
    network = torch.jit.load(str(tmp_path / "unet.pt"))
    with torch.no_grad():
        next(network.parameters()).add_(1)
    network.save(str(tmp_path / "unet.pt"))
    (words,) = asked(None)
    assert words.startswith(
        f"the network: The network of {tmp_path / 'unet.pt'} is another one here than when this run was planned"
    )


@pytest.mark.slow
def test_what_the_network_is_to_be_compiled_with_is_asked_for_too(job: Job) -> None:
    asked = replace(needs(job), task=replace(job.task, recipe=replace(job.task.recipe, runtime="compile")))
    assert asked(None) == (
        "the network: execution.runtime compile cannot run the network here: "
        + str(why_not_compilable(job.loaded, torch.device("cpu"))),
    )


@pytest.mark.slow
def test_a_missing_raster_is_named(job: Job, tmp_path: Path) -> None:
    asked = replace(needs(job), task=replace(job.task, source=_elsewhere(tmp_path / "gone.tif")))
    (said,) = asked(None)
    assert said.startswith("the raster:")
    assert "gone.tif" in said


@pytest.mark.slow
def test_another_raster_of_the_same_name_is_named(job: Job, tmp_path: Path) -> None:
    asked = replace(needs(job), source={**needs(job).source, "size": 1})
    assert asked(None) == (
        f"the raster: {tmp_path / 'scene.tif'} is there, and another one: of another size, grid or time of change",
    )


@pytest.mark.slow
def test_a_store_that_is_not_there_is_named(job: Job, tmp_path: Path) -> None:
    asked = replace(needs(job), task=replace(job.task, store=tmp_path / "elsewhere.zarr"))
    (said,) = asked(None)
    assert said.startswith("the store:")
    assert "elsewhere.zarr" in said


@pytest.mark.slow
def test_a_store_of_another_job_is_named(job: Job) -> None:
    asked = replace(needs(job), fingerprint={**job.fingerprint, "tile.size": 1})
    assert asked(None) == (f"the store: {job.path} is there, and of another job",)


@pytest.mark.slow
def test_a_device_that_is_missing_is_named(job: Job) -> None:
    asked = replace(needs(job), task=replace(job.task, device="cuda:7"))
    (said,) = asked(None)
    assert "cuda:7" in said
    assert "this machine does not have" in said


@pytest.mark.slow
def test_too_little_memory_is_named_with_what_would_do(job: Job) -> None:
    asked = needs(job)
    (said,) = asked(asked.memory)
    assert "--memory-limit" in said
    assert asked(2 * asked.memory) == ()


@pytest.mark.slow
def test_all_that_lacks_is_named_at_once(job: Job, tmp_path: Path) -> None:
    asked = replace(needs(job), task=replace(job.task, store=tmp_path / "elsewhere.zarr"))
    (tmp_path / "unet.pt").unlink()
    assert [said.partition(":")[0] for said in asked(1)] == [
        "it may take 1 B of memory, and the plan needs " + said_of(asked),
        "the store",
        "the network",
    ]


def said_of(asked: WorkerRequirements) -> str:
    return f"{human(asked.memory)}; start it with --memory-limit 0, or {human(asked.memory / 0.8)} or more"


def _elsewhere(path: Path) -> Any:
    """A source as a worker gets it that does not have the file."""
    scenes.scene(path)
    source: Any = open_source(SourceConfig(path=str(path)))
    path.unlink()
    return replace(source, name="another")


@pytest.mark.slow
def test_halting_stops_tiles_that_are_under_way(job: Job) -> None:
    asked = needs(job)
    asked(None)
    asked.abort()
    assert CANCELLED.is_set()
    CANCELLED.clear()
