from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.config import Config
from pipeline.config.load import load_config
from pipeline.errors import ConfigError
from pipeline.planning import workers
from pipeline.planning.types import ONE_PROCESS
from pipeline.runtime import resources
from pipeline.runtime.resources import MIB
from tests import scenes

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")
SLURM = {"engine": "slurm", "slurm": {"cores": 12, "processes": 3, "memory": "10GiB"}}
ADDRESS = {"engine": "address", "address": {"scheduler": "tcp://10.0.0.5:8786"}}


def config(folder: Path, **execution: Any) -> Config:
    return load_config(scenes.config(folder, execution=execution))


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of eight cores and three GPUs."""
    monkeypatch.setattr(resources, "cores", lambda: 8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_one_process_does_for_a_cpu_and_as_many_as_asked_for(tmp_path: Path, eight: None) -> None:
    assert workers.processes(config(tmp_path, engine="processes").execution, CPU) == 1
    assert workers.processes(config(tmp_path, engine="processes", processes=5).execution, CPU) == 5


def test_each_gpu_has_a_process(tmp_path: Path, eight: None) -> None:
    execution = config(tmp_path, engine="processes", device="auto").execution
    assert workers.processes(execution, GPU) == 3
    assert workers.gpus(GPU, "auto") == ("0", "1", "2")
    assert workers.gpus(CPU, "auto") == ()


def test_a_gpu_that_is_named_is_the_only_one(eight: None) -> None:
    assert workers.gpus(torch.device("cuda:2"), "cuda:2") == ("2",)


def test_what_cuda_may_see_keeps_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-7f")
    assert workers.gpus(GPU, "auto") == ("4", "GPU-7f")
    assert workers.gpus(torch.device("cuda:1"), "cuda:1") == ("GPU-7f",)


def test_tensors_may_take_most_of_a_gpu_whoever_holds_some_of_it_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (300, 10_000))
    assert workers.worker_layout(config(tmp_path), GPU).device == 8000
    assert workers.worker_layout(config(tmp_path), CPU).device is None


def test_more_processes_than_gpus_are_refused(tmp_path: Path, eight: None) -> None:
    with pytest.raises(ConfigError, match=r"execution.processes is 4, but 3 GPUs may be used here"):
        workers.processes(config(tmp_path, engine="processes", processes=4, device="auto").execution, GPU)


def test_processes_share_the_cores(tmp_path: Path, eight: None) -> None:
    def threads(**execution: Any) -> int:
        return workers.threads_per_process(config(tmp_path, **execution), CPU)

    assert threads(engine="threads") == 8
    assert threads(engine="processes", processes=4) == 2
    assert threads(engine="processes", processes=20) == 1
    assert threads(**SLURM) == 4
    assert threads(**ADDRESS) == 8
    assert threads(**{**ADDRESS, "address": {**ADDRESS["address"], "threads": 3}}) == 3  # type: ignore[dict-item]


def test_what_shares_the_budget_depends_on_the_engine(tmp_path: Path, eight: None) -> None:
    assert workers.worker_layout(config(tmp_path, engine="threads"), CPU) == ONE_PROCESS
    many = workers.worker_layout(config(tmp_path, engine="processes", processes=4), CPU)
    assert (many.processes, many.single_process) == (4, False)
    assert many.launcher_bytes > 50 * MIB
    assert workers.worker_layout(config(tmp_path, engine="processes"), CPU).single_process
    job = workers.worker_layout(config(tmp_path, **SLURM), CPU)
    assert (job.processes, job.single_process) == (3, False)
    assert workers.worker_layout(config(tmp_path, **ADDRESS), CPU).processes == 1


def test_a_job_of_slurm_has_its_own_memory(tmp_path: Path) -> None:
    assert workers.budget(config(tmp_path, **SLURM)) == int(10 * 2**30 * 0.9)
    assert workers.budget(config(tmp_path, memory="3GiB", **SLURM)) == 3 * 2**30


def streams(folder: Path, device: torch.device = CPU, runtime: str = "torch", **execution: Any) -> tuple[int, ...]:
    return workers.streams(config(folder, **{"engine": "threads", **execution}), device, runtime)


def test_tiles_share_the_cores_evenly(tmp_path: Path, eight: None) -> None:
    assert streams(tmp_path) == (8, 4, 2, 1)
    assert streams(tmp_path, engine="processes", processes=4) == (2, 1)
    assert streams(tmp_path, workers=3) == (2, 1)


@pytest.mark.parametrize(
    "alone",
    [
        {"device": GPU},
        {"runtime": "compile"},
        {"runtime": "openvino"},
        {"engine": "serial"},
        SLURM,
        ADDRESS,
    ],
)
def test_one_tile_is_computed_at_a_time_where_several_cannot_be(
    tmp_path: Path, eight: None, alone: dict[str, Any]
) -> None:
    assert streams(tmp_path, **alone) == (1,)


def test_code_that_is_not_ours_is_called_by_one_thread_unless_somebody_says_otherwise(
    tmp_path: Path, eight: None
) -> None:
    said = load_config(
        scenes.config(tmp_path, model={"kind": "python", "factory": "network.py:make"}, execution={"engine": "threads"})
    )
    assert workers.streams(said, CPU) == (1,)
    asked = said.model_copy(update={"execution": said.execution.model_copy(update={"streams": 3})})
    assert workers.streams(asked, CPU) == (3,)


@pytest.mark.parametrize(
    "alone", [{"device": GPU}, {"runtime": "compile"}, {"runtime": "openvino"}, {"engine": "serial"}]
)
def test_several_tiles_where_only_one_can_be_are_refused(tmp_path: Path, eight: None, alone: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"execution\.streams is 2, but .* computes one tile at a time"):
        streams(tmp_path, streams=2, **alone)
    assert streams(tmp_path, streams=1, **alone) == (1,)
