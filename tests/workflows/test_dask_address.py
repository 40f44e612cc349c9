"""Scheduler and workers by Dask's command lines: with a run on them, and with a stand-in for it that looks at them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.store.status import status
from tests import scenes

RECIPE = Path(__file__).resolve().parents[2] / "workflows" / "dask_address.sh"
STAND_IN = """
import sys, time
from pathlib import Path
from distributed import Client
said = dict(word.split("=", 1) for word in sys.argv if "=" in word)
with Client(said["execution.address.scheduler"], set_as_default=False) as client:
    client.wait_for_workers(2, timeout=120)
    assert said["execution.engine"] == "address", said
    assert sys.argv[1:3] == ["run", "a b.yaml"], sys.argv
    assert client.submit(lambda x: x + 1, 41).result() == 42
    assert all(name.startswith("tcp://127.0.0.1:") for name in client.scheduler_info()["workers"])
    Path("seen").write_text(" ".join(sys.argv[7:]))
    while Path("wait").exists():
        time.sleep(0.1)
sys.exit(75)
"""


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_a_job_runs_on_the_workers_to_a_whole_store(tmp_path: Path) -> None:
    env = {
        **os.environ,
        "WHOLECLOTH": f"{sys.executable} -m pipeline",
        "DASK": f"{sys.executable} -m dask",
        "TMPDIR": str(tmp_path),
    }
    env["PYTHONPATH"] = str(RECIPE.parents[1])
    done = subprocess.run(
        ["bash", str(RECIPE), str(scenes.config(tmp_path))], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert status(tmp_path / "job.zarr").complete


def start(folder: Path) -> subprocess.Popen[str]:
    (folder / "stand_in.py").write_text(STAND_IN)
    (folder / "tmp").mkdir()
    env = {
        **os.environ,
        "WHOLECLOTH": f"{sys.executable} {folder / 'stand_in.py'}",
        "DASK": f"{sys.executable} -m dask",
        "TMPDIR": str(folder / "tmp"),
    }
    command = ["bash", str(RECIPE), "a b.yaml", "--set", "x=1 2"]
    return subprocess.Popen(command, env=env, cwd=folder, stderr=subprocess.PIPE, text=True)


def under_way(job: subprocess.Popen[str], folder: Path) -> list[psutil.Process]:
    """All that it started, once the run is at work."""
    end = time.monotonic() + 120
    while not (folder / "seen").exists() and job.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    return psutil.Process(job.pid).children(recursive=True)


def left(children: list[psutil.Process], folder: Path) -> list[str]:
    """What is left of what was started."""
    _, alive = psutil.wait_procs(children, timeout=20)
    return [str(process) for process in alive] + [str(file.relative_to(folder)) for file in (folder / "tmp").rglob("*")]


@pytest.mark.nightly("kills")
def test_a_job_is_given_the_address_and_nothing_is_left_of_its_workers(tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    job = start(tmp_path)
    children = under_way(job, tmp_path)
    (tmp_path / "wait").unlink()
    _, said = job.communicate(timeout=120)
    assert job.returncode == 75, said
    assert (tmp_path / "seen").read_text() == "--set x=1 2"
    assert len(children) >= 4
    assert left(children, tmp_path) == []


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_sigterm_ends_the_run_first_and_then_its_workers(tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    job = start(tmp_path)
    children = under_way(job, tmp_path)
    job.send_signal(signal.SIGTERM)
    job.communicate(timeout=120)
    assert job.returncode == 128 + signal.SIGTERM  # of the stand-in, which is no run of ours
    assert left(children, tmp_path) == []


def test_a_scheduler_that_does_not_start_is_told(tmp_path: Path) -> None:
    env = {**os.environ, "DASK": str(tmp_path / "dask"), "WHOLECLOTH": "false"}
    (tmp_path / "dask").write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n")
    (tmp_path / "dask").chmod(0o755)
    done = subprocess.run(["bash", str(RECIPE), "a.yaml"], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (75, "no such thing\n")
