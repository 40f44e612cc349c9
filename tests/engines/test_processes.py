from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.config.load import load_config
from pipeline.engines import KINDS
from pipeline.errors import Unfinished, WorkerError
from pipeline.interfaces import EngineOptions
from pipeline.running.execute import execute, prepare_job
from pipeline.runtime.progress import Progress
from pipeline.runtime.trace import open_trace
from pipeline.store.ledger import Ledger
from tests import scenes
from tests.commands import run as run_command
from tests.engines import works
from tests.engines.runs import digest, started, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run() -> Iterator[Any]:
    with KINDS["processes"](2, EngineOptions(processes=2, threads=1, notify=lambda line: None)) as made:
        yield made


def children(of: int | None = None) -> list[psutil.Process]:
    """Worker processes of a process: they are forked by a child of it."""
    servers = [child for child in psutil.Process(of).children() if "forkserver" in _command(child)]
    return [worker for server in servers for worker in server.children()]


def _command(process: psutil.Process) -> str:
    """Empty where it ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_every_item_is_worked_on_once_in_another_process(run: Any) -> None:
    assert sorted(run(works.square, range(40))) == [k * k for k in range(40)]
    assert list(run(works.square, [])) == []


def test_all_processes_work_and_each_has_one_object_for_all_items(run: Any) -> None:
    seen = list(run(works.Where(seconds=0.05), range(40)))
    assert len({process for process, _ in seen}) == 2
    assert len(set(seen)) == 2
    assert os.getpid() not in {process for process, _ in seen}


def test_items_are_taken_as_they_are_needed(run: Any) -> None:
    taken: list[int] = []
    outcomes = run(works.square, (taken.append(k) or k for k in range(10_000)))
    for _ in range(5):
        next(outcomes)
    assert len(taken) <= 5 + 2 * 2 * 2 + 1
    outcomes.close()


def test_an_error_reaches_the_caller_as_it_is(run: Any) -> None:
    with pytest.raises(KeyError, match="bad item"):
        list(run(works.bad, range(8)))
    with pytest.raises(Unfinished, match="the disk is full"):
        list(run(works.full, range(8)))
    assert sorted(run(works.square, range(8))) == [k * k for k in range(8)]


def test_workers_inherit_what_changes_how_they_compute_and_dask_sets_nothing_here(run: Any) -> None:
    (found,) = run(works.variables, [("OMP_NUM_THREADS", "GLIBC_TUNABLES", "OMP_WAIT_POLICY")])
    assert found["OMP_NUM_THREADS"] == "1"
    assert found["GLIBC_TUNABLES"] == os.environ.get("GLIBC_TUNABLES")
    assert "MALLOC_TRIM_THRESHOLD_" not in os.environ


def test_ctrl_c_is_heard_here_and_by_no_worker(run: Any) -> None:
    assert set(run(works.Mask(), range(20))) == {True}
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_nothing_listens_beyond_this_machine(run: Any) -> None:
    list(run(works.square, range(3)))
    processes = [psutil.Process(), *children()]
    listening = [
        c.laddr.ip for process in processes for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert set(listening) <= {"127.0.0.1", "::1"}


@pytest.mark.nightly("kills")
def test_a_worker_that_is_killed_costs_nothing_but_time(tmp_path: Path) -> None:
    said: list[str] = []
    with KINDS["processes"](2, EngineOptions(processes=2, notify=said.append)) as run:
        assert sorted(run(works.Lethal(items=(3, 11), once=tmp_path, seconds=0.05), range(40))) == list(range(40))
    assert {path.name for path in tmp_path.iterdir()} == {"3", "11"}
    assert any("is gone" in line for line in said)
    assert any("has come" in line for line in said)


@pytest.mark.nightly("kills")
def test_an_item_that_kills_every_worker_fails_by_name_and_all_others_are_done() -> None:
    with KINDS["processes"](2, EngineOptions(processes=1, notify=lambda line: None)) as run:
        found = list(run(works.Lethal(items=(4,)), range(10)))
    assert sorted(result for result in found if isinstance(result, int)) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    (failed,) = [result for result in found if isinstance(result, tuple)]
    assert failed[0] == 4
    assert "died" in failed[1]


@pytest.mark.nightly("kills")
def test_what_a_worker_lacks_is_named_with_its_host_before_the_first_item(tmp_path: Path) -> None:
    terms = EngineOptions(
        processes=2, needs=works.Lacking(what=("the raster: no such file", "a GPU")), notify=lambda line: None
    )
    before = children()
    named = rf"{os.uname().nodename} \(tcp://127.0.0.1:\d+\) cannot run this job: the raster: no such file; a GPU"
    with pytest.raises(WorkerError, match=named), KINDS["processes"](1, terms) as run:
        list(run(works.Lethal(items=(0, 1, 2), once=tmp_path), range(3)))
    assert not list(tmp_path.iterdir())
    assert children() == before


@pytest.mark.nightly("kills")
def test_a_worker_that_comes_late_and_lacks_something_is_passed_over(tmp_path: Path) -> None:
    said: list[str] = []
    (gone := tmp_path / "once").mkdir()
    terms = EngineOptions(processes=2, needs=works.Lacking(what=("the weights",), where=gone / "5"), notify=said.append)
    with KINDS["processes"](1, terms) as run:
        assert sorted(run(works.Lethal(items=(5,), once=gone, seconds=0.1), range(60))) == list(range(60))
    assert any("the weights" in line and "passed over" in line for line in said)


def test_each_process_has_a_gpu_of_its_own() -> None:
    with KINDS["processes"](1, EngineOptions(processes=2, gpus=("3", "GPU-7"), notify=lambda line: None)) as run:
        found = list(run(works.Slow("CUDA_VISIBLE_DEVICES"), range(8)))
    assert set(found) == {"3", "GPU-7"}


RUNNING = """
import sys
from pipeline.engines import KINDS
from pipeline.interfaces import EngineOptions
from tests.engines import works
if __name__ == "__main__":
    with KINDS["processes"](1, EngineOptions(processes=2)) as run:
        for found in run(works.Where(seconds=0.3), range(10_000)):
            print(found[0], flush=True)
"""


@pytest.mark.nightly("kills", after=1)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_the_process_that_started_it(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "running.py").write_text(RUNNING)
    with started([sys.executable, str(tmp_path / "running.py")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ours = {int(process.stdout.readline()) for _ in range(4)}
        workers = children(process.pid)
        assert {worker.pid for worker in workers} >= ours
        process.send_signal(how)
        wait_for(
            lambda: not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers), 20
        )


@pytest.fixture
def slow(tmp_path: Path) -> dict[str, Any]:
    """A job of 35 blocks whose network takes its time in a worker, so that there is time to do something to it."""
    (tmp_path / "net.py").write_text(SLOW)
    said = {
        "kind": "python",
        "path": None,
        "factory": f"{tmp_path / 'net.py'}:net",
        "args": {"path": str(scenes.unet(tmp_path))},
    }
    return {"model": said, "output": {"chunk": 32, "block": 64}}


SLOW = """
import time
from multiprocessing import parent_process
import torch

class Slow(torch.nn.Module):
    def __init__(self, path):
        super().__init__()
        self.net = torch.jit.load(path)

    def forward(self, x):
        time.sleep(0.3 if parent_process() else 0)
        return self.net(x)

def net(path):
    return Slow(path)
"""


LETHAL = """
import os, signal
import torch

class Lethal(torch.nn.Module):
    def __init__(self, path):
        super().__init__()
        self.net = torch.jit.load(path)

    def forward(self, x):
        if (x == 297.5).any():  # (60000 - 500) / 200
            os.kill(os.getpid(), signal.SIGKILL)
        return self.net(x)

def net(path):
    return Lethal(path)
"""


def command(path: Path, *rest: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", "run", str(path), *rest]


def go(path: Path) -> Any:
    with Progress() as progress:
        return execute(prepare_job(load_config(path)), progress)


def test_a_job_has_the_same_bytes_as_one_by_one(tmp_path: Path) -> None:
    layers = {"layers": ["mask", "confidence"]}
    go(scenes.config(tmp_path, "reference", output=layers))
    report = go(
        scenes.config(
            tmp_path,
            output={**layers, "certificate": True},
            execution={"engine": "processes", "processes": 2, "workers": 2},
        )
    )
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")
    assert len(digest(tmp_path / "job.zarr")) > 40
    assert report.certificate["passed"]
    assert report.plan["blocks"]["processes"] == 2
    assert "the process that hands out blocks" in report.plan["memory"]["buffers"]
    assert report.peak_memory > 2 * 100 * 2**20


@pytest.mark.nightly("kills")
def test_a_job_that_loses_a_worker_in_the_middle_has_the_same_bytes(tmp_path: Path, slow: dict[str, Any]) -> None:
    go(scenes.config(tmp_path, "reference", **slow))
    path = scenes.config(tmp_path, execution={"engine": "processes", "processes": 2, "workers": 1}, **slow)
    with started(command(path), stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: any((tmp_path / "job.zarr").glob("0/mask/c/*/*")), 120)
        os.kill(children(process.pid)[0].pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "is gone; what it had is given to others" in errors
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")


@pytest.mark.nightly("kills")
@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_stopped_job_leaves_no_worker_and_says_nothing_but_that(
    tmp_path: Path, slow: dict[str, Any], how: signal.Signals, code: int
) -> None:
    path = scenes.config(tmp_path, execution={"engine": "processes", "processes": 2, "workers": 1}, **slow)
    with started(command(path), stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        wait_for(lambda: len(children(process.pid)) == 2 and any((tmp_path / "job.zarr").glob("0/mask/c/*/*")), 120)
        workers = children(process.pid)
        (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert errors.strip().splitlines()[-1].startswith("Stopped")
    wait_for(lambda: not any(worker.is_running() for worker in workers), 10)


@pytest.mark.nightly("kills")
def test_a_block_that_kills_every_worker_is_named_and_all_others_are_committed(tmp_path: Path) -> None:
    data = scenes.read(scenes.scene(tmp_path / "scene.tif")).astype("uint16")
    data[:, 192, 192] = 60_000  # the middle of block 1,1
    scenes.write(tmp_path / "scene.tif", data, nodata=0)
    (tmp_path / "net.py").write_text(LETHAL)
    network = {
        "kind": "python",
        "path": None,
        "factory": f"{tmp_path / 'net.py'}:net",
        "args": {"path": str(scenes.unet(tmp_path))},
    }
    path = scenes.config(tmp_path, model=network, execution={"engine": "processes", "processes": 2, "workers": 2})
    done = run_command(command(path))
    assert done.returncode == 1, done.stderr
    assert "1 of 12 blocks failed" in done.stderr
    assert "block 1,1" in done.stderr
    assert "the worker's process died" in done.stderr
    assert Ledger(tmp_path / "job.zarr").failures().keys() == {(1, 1)}
    assert len(Ledger(tmp_path / "job.zarr").committed()) == 11


@pytest.mark.nightly("kills")
def test_overviews_are_made_by_the_workers_too(tmp_path: Path) -> None:
    go(scenes.config(tmp_path, "reference", output={"chunk": 32, "block": 64}))
    path, trace = (
        scenes.config(tmp_path, output={"chunk": 32, "block": 64}, execution={"engine": "processes", "processes": 2}),
        tmp_path / "trace.json",
    )
    with open_trace(trace) as written, Progress() as progress:
        execute(prepare_job(load_config(path)), progress, trace=written)
    events = json.loads(trace.read_text())
    made = {event["pid"] for event in events if event.get("cat") == "overview"}
    assert made
    assert os.getpid() not in made
    assert digest(tmp_path / "job.zarr") == digest(tmp_path / "reference.zarr")
